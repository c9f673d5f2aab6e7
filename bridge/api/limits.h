/* limits.h: plans and fixed windows.
 *
 * A window belongs to (who, which limit), starts at the first accepted unit and lasts 60 s, 1 h or 24 h; at
 * most `limit` units are accepted in it. Only accepted units count. Time is monotonic inside and shown as
 * wall time, so a clock jump neither frees nor blocks anybody. Windows live in memory; those of an hour or a
 * day also as KIND_LIMIT records written with the effect they counted, and come back from there after a
 * restart. Thread: any. */
#ifndef CHASQUI_API_LIMITS_H
#define CHASQUI_API_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/json.h"

enum limit_id {
    LIMIT_REQUESTS,
    LIMIT_MESSAGES,
    LIMIT_WRITES,
    LIMIT_SIGN_IN, /* failed authentications of one client address */
    LIMIT_TOUCH,   /* how often a key's last_used_at is written */
    LIMIT_ADDRESS, /* requests of one client address to one route */
    LIMIT_COUNT
};
struct plan {
    const char *name;
    unsigned limits[LIMIT_COUNT]; /* 0: unlimited */
};
/* The plan of that name, as the options say (read at first use); NULL if there is none. */
const struct plan *plan_find(const char *name);
/* What holds for everybody: the last three limits. */
const struct plan *plan_common(void);

const char *limit_name(enum limit_id id); /* "requests per minute", for the 429's words */
bool limit_durable(enum limit_id id);

struct limits;
struct limits *limits_new(void);
void limits_free(struct limits *limits);

struct limit_state {
    unsigned limit, remaining;
    int64_t reset_s; /* Unix second at which the window ends, rounded up */
    int64_t retry_s; /* whole seconds until then, at least 1 and at most the window's length */
};
/* Takes units; false: refused, nothing taken. Either way *state tells of the window afterwards. */
bool limits_take(struct limits *limits, const char *who, const struct plan *plan, enum limit_id id,
                 unsigned units, struct limit_state *state);
/* Units that were taken but led to nothing. */
void limits_return(struct limits *limits, const char *who, enum limit_id id, unsigned units);

/* The window as a record {"started_at_ms", "count"}, NULL if there is none; and back: does nothing if this
 * window is known already (then true) or the record is over. */
json_t *limits_record(struct limits *limits, const char *who, enum limit_id id);
bool limits_known(struct limits *limits, const char *who, enum limit_id id);
void limits_restore(struct limits *limits, const char *who, enum limit_id id, const json_t *record);

#endif
