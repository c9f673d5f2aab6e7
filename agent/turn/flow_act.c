/* flow_act.c: the table of acts. */
#include "agent/turn/flow_act.h"

#include <string.h>

#include "agent/booking/booking.h"
#include "agent/lead/lead.h"
#include "queue/base/clock.h"

/* Adds to cs; result (may be NULL) as a new reference. why gets a sentence where it does not work out. */
typedef enum err (*act_fn)(struct turn *turn, struct changes *cs, struct snapshot *snap, const json_t *wish,
                           json_t **result, struct buf *why);

/* Merges into the contact's metadata. */
static enum err act_contact(struct turn *turn, struct changes *cs, struct snapshot *snap, const json_t *wish,
                            json_t **result, struct buf *why)
{
    json_t *contact = NULL;
    uint64_t rev;
    const char *id = jx_str_or(turn->conversation, "contact_id", "");
    enum err rc = snapshot_get(snap, KIND_CONTACT, turn->part, id, &contact, &rev);

    (void)result;
    if (rc != ERR_OK) {
        buf_adds(why, "there is no contact");
        return rc;
    }
    if (jx_obj(contact, "metadata") == NULL) {
        jx_set(contact, "metadata", json_object());
    }
    json_object_update(jx_obj(contact, "metadata"), (json_t *)wish);
    jx_set_time(contact, "updated_at", clock_wall_ms());
    changes_expect(cs, KIND_CONTACT, turn->part, id, rev);
    changes_put(cs, KIND_CONTACT, turn->part, id, contact);
    json_decref(contact);
    return ERR_OK;
}

static enum err act_book(struct turn *turn, struct changes *cs, struct snapshot *snap, const json_t *wish,
                         json_t **result, struct buf *why)
{
    const char *field = NULL;

    return booking_book(cs, snap, turn->part, turn->agent, turn->conversation, wish, result, &field, why);
}

static enum err act_lead(struct turn *turn, struct changes *cs, struct snapshot *snap, const json_t *wish,
                         json_t **result, struct buf *why)
{
    const char *field = NULL;

    return lead_collect(cs, snap, turn->part, turn->agent, turn->conversation, wish, result, &field, why);
}

static const struct act_row {
    const char *name;
    act_fn fn;
} rows[] = {{"contact", act_contact}, {"book", act_book}, {"lead", act_lead}};

/* One act that is to be written. */
struct act {
    const struct act_row *row;
    const json_t *wish;
};

/* A turn_effect_fn: the second time. */
static bool act_again(struct turn *turn, struct changes *cs, struct snapshot *snap, void *arg)
{
    const struct act *act = arg;
    json_t *result = NULL;
    struct buf why;

    buf_init(&why, 500);
    enum err rc = act->row->fn(turn, cs, snap, act->wish, &result, &why);
    buf_fini(&why);
    json_decref(result);
    return rc == ERR_OK;
}

/* The first time, into a change-set that is thrown away. */
static enum err act_dry(struct turn *turn, const struct act *act, json_t **result, struct buf *why)
{
    struct snapshot *snap;
    enum err rc = snapshot_open(job_store(turn->job), &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    struct changes *cs = changes_new();
    rc = act->row->fn(turn, cs, snap, act->wish, result, why);
    changes_free(cs);
    snapshot_close(snap);
    return rc;
}

bool flow_act(const char *what, const json_t *wish, json_t **result, const char **why, void *arg)
{
    struct turn *turn = arg;
    struct act *act = arena_alloc(turn->arena, sizeof *act);
    struct buf reason;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        act->row = strcmp(rows[i].name, what) == 0 ? &rows[i] : act->row;
    }
    CHECK(act->row != NULL);
    act->wish = json_incref((json_t *)wish);
    arena_defer(turn->arena, jx_decref, (json_t *)wish);
    buf_init(&reason, 500);
    enum err rc = act_dry(turn, act, result, &reason);
    if (rc == ERR_OK) {
        turn_effect(turn, act_again, act);
    } else {
        *why = reason.len > 0 ? arena_strdup(turn->arena, buf_str(&reason)) : err_text(rc);
    }
    buf_fini(&reason);
    return rc == ERR_OK;
}
