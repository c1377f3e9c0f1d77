#include "policies/routing/prefix_aware/prefix_index.hpp"

namespace headroom::policies {

void PrefixIndex::match(const std::vector<std::uint64_t>& hashes) {
    ++matches_;
    for (const std::uint64_t hash : hashes) {
        const std::uint32_t* first = first_of_.find(hash);
        if (first == nullptr) return;
        for (std::uint32_t i = *first; i != kNone; i = holdings_[i].next) {
            Server& server = servers_[holdings_[i].server];
            if (server.matched_in != matches_) {
                server.matched_in = matches_;
                server.matched = 0;
            }
            ++server.matched;
        }
    }
}

std::int64_t PrefixIndex::matched(std::uint32_t server) const {
    if (server >= servers_.size() || servers_[server].matched_in != matches_) return 0;
    return servers_[server].matched;
}

std::int64_t PrefixIndex::tokens(std::uint32_t server) const {
    return server < servers_.size() ? servers_[server].tokens : 0;
}

void PrefixIndex::add(std::uint32_t number, const std::vector<std::uint64_t>& hashes,
                      std::int64_t tokens_each) {
    if (number >= servers_.size()) servers_.resize(number + 1);
    Server& server = servers_[number];
    for (const std::uint64_t hash : hashes) {
        const std::uint32_t known = find(number, hash);
        if (known != kNone) {
            touch(server, known);
            continue;
        }
        const std::uint32_t added = allocate();
        std::uint32_t* first = first_of_.find(hash);
        Holding& holding = holdings_[added];
        holding.hash = hash;
        holding.server = number;
        holding.tokens = static_cast<std::uint32_t>(tokens_each);
        holding.next = first == nullptr ? kNone : *first;
        if (first == nullptr) {
            first_of_.insert(hash, added);
        } else {
            *first = added;
        }
        append(server, added);
        server.tokens += tokens_each;
        while (server.tokens > capacity_) forget(server, server.oldest);
    }
}

void PrefixIndex::remove(std::uint32_t number) {
    if (number >= servers_.size()) return;
    Server& server = servers_[number];
    while (server.oldest != kNone) forget(server, server.oldest);
}

std::uint32_t PrefixIndex::find(std::uint32_t server, std::uint64_t hash) const {
    const std::uint32_t* first = first_of_.find(hash);
    std::uint32_t i = first == nullptr ? kNone : *first;
    while (i != kNone && holdings_[i].server != server) i = holdings_[i].next;
    return i;
}

void PrefixIndex::touch(Server& server, std::uint32_t holding) {
    unlink(server, holding);
    append(server, holding);
}

void PrefixIndex::append(Server& server, std::uint32_t holding) {
    Holding& added = holdings_[holding];
    added.older = server.newest;
    added.newer = kNone;
    (server.newest == kNone ? server.oldest : holdings_[server.newest].newer) = holding;
    server.newest = holding;
}

void PrefixIndex::unlink(Server& server, std::uint32_t holding) {
    const Holding& gone = holdings_[holding];
    (gone.older == kNone ? server.oldest : holdings_[gone.older].newer) = gone.newer;
    (gone.newer == kNone ? server.newest : holdings_[gone.newer].older) = gone.older;
}

void PrefixIndex::forget(Server& server, std::uint32_t holding) {
    unlink(server, holding);
    Holding& gone = holdings_[holding];
    server.tokens -= gone.tokens;
    std::uint32_t* first = first_of_.find(gone.hash);
    if (*first == holding) {
        if (gone.next == kNone) {
            first_of_.erase(gone.hash);
        } else {
            *first = gone.next;
        }
    } else {
        std::uint32_t before = *first;
        while (holdings_[before].next != holding) before = holdings_[before].next;
        holdings_[before].next = gone.next;
    }
    gone.next = free_;
    free_ = holding;
}

std::uint32_t PrefixIndex::allocate() {
    if (free_ == kNone) {
        holdings_.emplace_back();
        return static_cast<std::uint32_t>(holdings_.size() - 1);
    }
    const std::uint32_t taken = free_;
    free_ = holdings_[taken].next;
    return taken;
}

}  // namespace headroom::policies
