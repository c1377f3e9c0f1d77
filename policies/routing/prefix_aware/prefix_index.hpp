/// PrefixIndex: what a router believes to be in the prefix caches of the servers behind it: for
/// each server the blocks of the prompts that it sent there, least recently sent ones forgotten
/// first. An approximation, for the engines' caches hold outputs too and evict by rules of their
/// own. Like llm-d's indexer (approximateprefix/indexer.go): one table from a block's hash to the
/// servers that have it, so that matching a prompt does not ask every server.
///
///     index.match(hashes);                        // counts matched blocks per server
///     index.matched(server);                      // of the last match
///     index.add(server, hashes, tokens_each);     // it was sent there
///
/// match is O(sum over matched blocks of the servers that have one), add is O(blocks), both in the
/// mean. Memory: about 60 bytes per block and server.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/key_map.hpp"

namespace headroom::policies {

class PrefixIndex {
  public:
    /// Tokens that a server's blocks may have together.
    explicit PrefixIndex(std::int64_t capacity_tokens) : capacity_(capacity_tokens) {}

    /// From the first block on until one that no server has, each server counts the blocks that it
    /// has. (Where it lost one in between, those behind still count, as upstream.)
    void match(const std::vector<std::uint64_t>& hashes);
    [[nodiscard]] std::int64_t matched(std::uint32_t server) const;
    void add(std::uint32_t server, const std::vector<std::uint64_t>& hashes,
             std::int64_t tokens_each);
    /// Forgets all of a server's blocks.
    void remove(std::uint32_t server);
    [[nodiscard]] std::int64_t tokens(std::uint32_t server) const;

  private:
    static constexpr std::uint32_t kNone = 0xffffffffU;

    /// One block at one server: a member of the server's list by age and of the block's list.
    struct Holding {
        std::uint64_t hash = 0;
        std::uint32_t server = 0;
        std::uint32_t tokens = 0;
        std::uint32_t older = kNone;
        std::uint32_t newer = kNone;
        std::uint32_t next = kNone;  ///< of the same block; the next free one when free
    };
    struct Server {
        std::uint32_t oldest = kNone;
        std::uint32_t newest = kNone;
        std::int64_t tokens = 0;
        std::int64_t matched = 0;
        std::uint64_t matched_in = 0;  ///< the match that counted it
    };

    [[nodiscard]] std::uint32_t find(std::uint32_t server, std::uint64_t hash) const;
    void touch(Server& server, std::uint32_t holding);
    void append(Server& server, std::uint32_t holding);
    void unlink(Server& server, std::uint32_t holding);
    void forget(Server& server, std::uint32_t holding);
    [[nodiscard]] std::uint32_t allocate();

    std::int64_t capacity_;
    std::vector<Server> servers_;  ///< by number
    std::vector<Holding> holdings_;
    std::uint32_t free_ = kNone;
    KeyMap<std::uint32_t> first_of_;  ///< block -> its holdings
    std::uint64_t matches_ = 0;
};

}  // namespace headroom::policies
