/* segment.h: which segments a conversation is in: the built-in ones and an account's own.
 *
 * KIND_SEGMENT record: {"id", "name", "rules"?: {...}, "examples"?: [text], "created_at"}. Rules: every one
 * that is given must hold: "channel", "agent_id", "language", "status", "mode", "tag", "rating" (up, down),
 * "segment" (a built-in one), "min_messages" (of the customer). Examples: the conversation's first question
 * is like one of them. Thread: the owner's. */
#ifndef CHASQUI_INSIGHT_SEGMENT_H
#define CHASQUI_INSIGHT_SEGMENT_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

enum segment_id {
#define X(symbol, name, text) symbol,
#include "bridge/insight/tbl_segments.h"
#undef X
    SEGMENT_COUNT
};
const char *segment_name(enum segment_id id);
/* SEGMENT_COUNT if there is none of that name. */
enum segment_id segment_of(const char *name);

#define SEGMENTS_MOST         50
#define SEGMENT_EXAMPLES_MOST 20

struct terms;
struct segment_view {
    struct snapshot *snap;
    const char *part;
    const json_t *insight;
    json_t *conversation;   /* owned */
    unsigned segments;      /* built-in ones, a bit each */
    struct terms *question; /* of the first question, read when it is asked for; owned */
};
/* False: the conversation is gone. */
bool segment_view_init(struct segment_view *view, struct snapshot *snap, const char *part,
                       const json_t *insight);
void segment_view_fini(struct segment_view *view);

struct segments;
/* An account's own. Never NULL. */
struct segments *segments_load(struct snapshot *snap, const char *part);
void segments_free(struct segments *segments);
size_t segments_count(const struct segments *segments);
const json_t *segments_record(const struct segments *segments, size_t i);
bool segments_hold(const struct segments *segments, size_t i, struct segment_view *view);
/* The segment by examples that the first question is most like; segments_count if it is like none. */
size_t segments_intent(const struct segments *segments, struct segment_view *view);
/* Rules and examples as they may be stored. ERR_INVALID: *field is a JSON pointer, why a sentence. */
enum err segment_check(const json_t *body, const char **field, struct buf *why) MUST_CHECK;

#endif
