/// BatchingPolicy decides what enters the next iteration of an LLM engine.
///
/// At every iteration boundary where something may have changed, the instance asks for a StepPlan.
/// The policy sees a BatchView: the running list (in the order in which sequences were admitted),
/// the waiting queue (head first) and the KV cache's block counts. It changes nothing itself:
/// preemptions, admissions and prompt chunks are entries of the plan, which the instance carries
/// out in this order: preempt, then chunks, then decodes. Blocks follow from it: a chunk makes its
/// sequence hold at least ceil(reserve_tokens / block_size) blocks, a decode ceil((computed + 1) /
/// block_size): none, while those reserved last. A plan that needs more blocks than are free is a
/// programmer error.
///
/// Several batches may be in flight: two with asynchronous scheduling, one a stage in a pipeline. A
/// sequence counts as computed what batches in flight compute, so that its next chunk may follow at
/// once; one whose next token must come first has nothing left to compute.
///
/// With prefix caching, or where keys and values may come from elsewhere, the blocks of a plan are
/// handed out while it is made, through a BlockLedger.
///
/// `repeatable` says that the same decode-only plan holds from iteration to iteration until a
/// sequence finishes, fewer than `spare_blocks` blocks would be free after an iteration's blocks
/// were taken, or something happens to the instance (an arrival counts only with
/// `arrivals_matter`). The default is one iteration: a new policy is right first, and fast when it
/// says so.
///
///     class Greedy final : public BatchingPolicy { void plan_next_step(view, plan) override; };
///
/// Sources of the shipped rules are named in policies/batching/.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/serving/block_size.hpp"
#include "sim/serving/request.hpp"

namespace headroom::serving {

/// A sequence as a policy sees it. In vLLM's terms: known = prompt + outputs (T), computed = C.
struct SequenceView {
    std::int64_t prompt = 0;        ///< tokens of the original prompt
    std::int64_t known = 0;         ///< prompt plus tokens generated so far, or foreseen: see below
    std::int64_t computed = 0;      ///< tokens whose keys and values are in the cache, or will be
    std::int64_t blocks = 0;        ///< blocks held
    std::int64_t last_token = 0;    ///< known when it will be finished: prompt + output length
    std::int64_t arrival_rank = 0;  ///< order of submission to this instance
    Time submitted;
    std::int32_t priority = 0;
    bool in_decode = false;
    bool in_flight = false;     ///< some batch that is not over yet computes it
    std::int64_t drafts = 0;    ///< tokens that its next decode may verify besides (speculation)
    std::uint16_t adapter = 0;  ///< LoRA; 0: the base model

    /// True once every known token but the newest is computed: one more token a step. See also
    /// BatchingPolicy::cut_recomputation_decodes().
    [[nodiscard]] bool decoding() const { return in_decode; }
    /// Asynchronous scheduling counts tokens of batches in flight as known, but never the last one,
    /// which is not computed from.
    [[nodiscard]] std::int64_t uncomputed() const { return known - computed; }
};

/// What the cache has of a waiting sequence.
struct CacheLookup {
    enum class State : std::uint8_t {
        ready,     ///< it can be admitted with `cached` tokens
        fetching,  ///< more of it is on its way from elsewhere: to be passed over this time
        no_room,   ///< more of it is elsewhere, but there is no room for that
    };
    State state = State::ready;
    std::int64_t cached = 0;
};

/// Hands out KV blocks as a plan is made, one entry after the other, so that a prompt finds what an
/// earlier one of the same plan computes. The plan must then say what was granted. Positions are
/// those of the view. See vLLM's KVCacheManager (allocate_slots, get_computed_blocks).
class BlockLedger {
  public:
    virtual ~BlockLedger() = default;
    [[nodiscard]] virtual CacheLookup look_up(std::int64_t waiting_position) = 0;
    /// Takes the cached tokens, and new blocks for as many as `tokens` in all, if they are free and
    /// those for `whole` tokens would be, too; else nothing.
    [[nodiscard]] virtual bool admit(std::int64_t waiting_position, std::int64_t cached,
                                     std::int64_t tokens, std::int64_t whole) = 0;
    /// Makes the sequence hold blocks for `held` tokens in all, if enough are free. The first
    /// `computed` tokens will be computed after this step, and prefix caching may reuse them; the
    /// rest is room for drafts (speculation).
    [[nodiscard]] virtual bool extend(std::int64_t running_position, std::int64_t computed,
                                      std::int64_t held) = 0;
    virtual void preempt(std::int64_t running_position) = 0;
};

/// The numbers are plain members, refreshed by the instance before each plan; only a look at a
/// single sequence is a virtual call.
class BatchView {
  public:
    virtual ~BatchView() = default;
    [[nodiscard]] std::int64_t block_size() const { return block_size_.tokens(); }
    [[nodiscard]] std::int64_t blocks_for(std::int64_t tokens) const {
        return block_size_.blocks_for(tokens);
    }
    [[nodiscard]] std::int64_t total_blocks() const { return numbers_.total_blocks; }
    [[nodiscard]] std::int64_t free_blocks() const { return numbers_.free_blocks; }
    /// Length of the running list, and how many of it are decoding.
    [[nodiscard]] std::int64_t running() const { return numbers_.running; }
    [[nodiscard]] std::int64_t decoding() const { return numbers_.decoding; }
    /// How many of it have nothing to compute now: the token to go on from is in flight, or their
    /// last one is.
    [[nodiscard]] std::int64_t nothing_to_compute() const { return numbers_.nothing_to_compute; }
    /// New blocks that one decode iteration of all decoding sequences takes.
    [[nodiscard]] std::int64_t blocks_due() const { return numbers_.blocks_due; }
    [[nodiscard]] std::int64_t waiting() const { return numbers_.waiting; }
    /// Batches that may be in flight at once in a pipeline, 1 without one.
    [[nodiscard]] std::int64_t stages() const { return numbers_.stages; }
    /// Different LoRA adapters in one batch at most; 0: any.
    [[nodiscard]] std::int64_t max_adapters() const { return numbers_.max_adapters; }
    /// Tokens for which a running sequence holds blocks ahead of what it computes (speculation).
    [[nodiscard]] std::int64_t lookahead() const { return numbers_.lookahead; }
    /// Null: a plan counts blocks by itself.
    [[nodiscard]] virtual BlockLedger* ledger() const { return nullptr; }
    [[nodiscard]] virtual SequenceView running_at(std::int64_t position) const = 0;
    [[nodiscard]] virtual SequenceView waiting_at(std::int64_t position) const = 0;

  protected:
    struct Numbers {
        std::int64_t total_blocks = 0;
        std::int64_t free_blocks = 0;
        std::int64_t running = 0;
        std::int64_t decoding = 0;
        std::int64_t nothing_to_compute = 0;
        std::int64_t blocks_due = 0;
        std::int64_t waiting = 0;
        std::int64_t stages = 1;
        std::int64_t max_adapters = 0;
        std::int64_t lookahead = 0;
    };
    explicit BatchView(std::int64_t block_size) : block_size_(block_size) {}
    BlockSize block_size_;
    Numbers numbers_;
};

struct StepPlan {
    struct Chunk {
        /// Position in the running list, or in the waiting queue when `admit`.
        std::int64_t position = 0;
        /// Prompt tokens to compute, >= 1; of a decoding sequence 1 and the drafts to verify.
        std::int64_t tokens = 0;
        std::int64_t reserve_tokens = 0;  ///< tokens the sequence must hold blocks for afterwards
        bool admit = false;
        std::int64_t cached = 0;  ///< leading tokens of an admission that the ledger had
    };
    enum class Decode : std::uint8_t { none, all, listed };

    /// Positions in the running list to preempt by recomputation, in the order of preemption: each
    /// goes to the front of the waiting queue, behind requests that were passed over or have their
    /// KV blocks fetched, so the last one comes first among them (or to its place in a sorted one).
    std::vector<std::int64_t> preempt;
    /// Admissions name waiting positions in order, without gaps unless some are passed over.
    std::vector<Chunk> chunks;
    /// Waiting positions that were passed over: they stay ahead of who is preempted later.
    std::vector<std::int64_t> passed_over;
    Decode decode = Decode::none;
    std::vector<std::int64_t> decode_positions;  ///< for Decode::listed, ascending
    bool repeatable = false;
    bool arrivals_matter = true;
    std::int64_t spare_blocks = 0;

    /// Whether it is about some sequences in particular, not just "decode all" or "nothing".
    [[nodiscard]] bool names_sequences() const {
        return !chunks.empty() || !preempt.empty() || !decode_positions.empty();
    }
    void clear() {
        preempt.clear();
        chunks.clear();
        passed_over.clear();
        decode = Decode::none;
        decode_positions.clear();
        repeatable = false;
        arrivals_matter = true;
        spare_blocks = 0;
    }
};

class BatchingPolicy {
  public:
    virtual ~BatchingPolicy() = default;
    /// Fills `plan` (cleared by the caller). An empty plan means: nothing can run now.
    virtual void plan_next_step(const BatchView& view, StepPlan& plan) = 0;
    /// Why a request of these lengths could never run on an engine of this many blocks; nullopt
    /// when it can. Asked once, at submission.
    [[nodiscard]] virtual std::optional<Cause> refuses(std::int64_t prompt, std::int64_t output,
                                                       std::int64_t total_blocks,
                                                       std::int64_t block_size) const;
    /// A preempted sequence comes back as a prompt of all its tokens. When chunks have computed all
    /// of them but the newest one, does it decode (vLLM v1), or is it a prompt for one token more?
    /// The same at every call.
    [[nodiscard]] virtual bool cut_recomputation_decodes() const { return true; }
    /// Whether the waiting queue is kept sorted by precedes() instead of by arrival. The same at
    /// every call, and so is the order of two sequences.
    [[nodiscard]] virtual bool sorts_queue() const { return false; }
    [[nodiscard]] virtual bool precedes(const SequenceView&, const SequenceView&) const {
        return false;
    }
    /// Whether an engine with room for another batch in flight forms it as soon as an arrival or
    /// the end of a batch allows, or waits for its oldest batch once a plan was empty (vLLM).
    [[nodiscard]] virtual bool waits_for_oldest_batch() const { return false; }
    /// What of an engine's abilities it can plan for; the others are refused where it is chosen.
    struct Abilities {
        bool prefix_caching = false;
        bool async_scheduling = false;
        bool pipeline = false;
        bool adapters = false;
        bool speculation = false;
    };
    [[nodiscard]] virtual Abilities abilities() const { return {}; }
};

}  // namespace headroom::serving
