// Package denoise decides a block: what to unmask, what to revise, when to stop.
// It knows a backend and token ids, and neither text nor files.
//
// Invariants kept here:
//
//   - Every forward makes progress: it decides a token, revises one that was never
//     revised so before, or reads tokens that were not read.
//   - The context and the deadline are looked at before every forward.
//   - [Verify] gives the tokens of [Causal], in no more forwards.
//   - After a run the sequence holds the context (but for a last token that may have to
//     be read again) and then a beginning of Result.Decided, nothing else.
//   - Same backend, same context, same options: same answer. There is no chance in here.
//
// A model's canvas may be shifted ([Options].Shift, model.Scheme): its rows then answer for
// the position after them, as context rows do, and which row answers for the first position
// depends on whether anything is decided yet. Only decoder.look knows of it.
//
// An answer may have to begin with something ([Options].Begin): those tokens are decided
// one a forward by the causal reading, in every mode.
//
// What stands elsewhere in the code has its say in the causal reading ([Options].Memory):
// the "causal" tokens and likelihoods above are those of the mixture. [Verify] drafts from
// it before it denoises a draft: that costs no forward, only rows.
//
// A caller that wants several answers learns of each token which one came second by the
// causal reading ([Options].Rivals), and has an answer written on from a beginning that
// takes it instead ([Options].Given), or that takes none of those it knows ([Options].Not).
//
// Commit with next: the last token of a context is kept unread (pending) and read by the
// first forward that also looks at a canvas. When a block is finished its tokens become
// pending, together with the token before it, which is read a second time: only now is it
// known of which token its prediction must be asked. So the causal log-probability of
// every token costs one row a block and no forward.
//
// A device may decide a block of [Diffusion] by itself (backend.Ahead): several passes are then
// waited for once. Its decisions are a forecast. Each is made here again from the same answers,
// and a pass that would not have been asked for is thrown away with all after it, so that the
// rules of this package hold wherever they run. A cancel or a deadline that comes while the
// device is at it is seen when the passes that were started together are over.
package denoise
