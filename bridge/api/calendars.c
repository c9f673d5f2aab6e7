/* calendars.c: the calendar feed of an agent and the invitation of one appointment. Calendar programs send no
 * key: they show a token in the query instead, which opens one feed or one appointment, for reading. A feed's
 * token holds as long as the agent's word for it, so that a new token or a deletion ends the old one. */
#include "agent/booking/booking.h"

#include <stdio.h>
#include <string.h>

#include "agent/booking/ics.h"
#include "bridge/api/appointments.h"
#include "bridge/api/call.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"

#define FEED_BYTES  (4u << 20)
#define FEED_MOST   1000
#define FEED_PAST   (30 * 24 * 3600 * (int64_t)1000)
#define TOKEN_BYTES 1000
#define MIME        "text/calendar; charset=utf-8"

/* The setting that holds the word of an agent's feed. */
static const char *setting_of(struct call *c, const char *agent_id)
{
    return arena_printf(c->arena, "calendar.%s", agent_id);
}

/* The partition that a token or a key opens for this id; word gets the token's, "" with a key. NULL: the call
 * has ended. */
static const char *opened(struct call *c, const char *purpose, const char *id, char word[ICS_WORD_SIZE])
{
    char part[PARTITION_SIZE];
    const char *token = http_query_value(c->req, "token");
    word[0] = '\0';
    if (c->caller.known) {
        return c->part;
    }
    if (token == NULL || id[0] == '\0' || strlen(id) > STORE_ID_MAX ||
        !ics_token_open(purpose, id, token, part, word) || call_snap(c) == NULL) {
        call_fail(c, API_NOT_FOUND, NULL, NULL);
        return NULL;
    }
    return arena_strdup(c->arena, part);
}

/* A record of that partition. NULL: the call has ended. */
static json_t *record(struct call *c, enum kind kind, const char *part, const char *id)
{
    json_t *found = NULL;
    enum err rc = strlen(id) <= STORE_ID_MAX && id[0] != '\0'
                      ? snapshot_get(call_snap(c), kind, part, id, &found, NULL)
                      : ERR_NOTFOUND;
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return NULL;
    }
    return call_keep(c, found);
}

/* True if the token's word is the agent's word of today. False: the call has ended. */
static bool word_holds(struct call *c, const char *part, const char *agent_id, const char *word)
{
    json_t *setting = NULL;
    bool holds = snapshot_get(c->snap, KIND_SETTING, part, setting_of(c, agent_id), &setting, NULL) == ERR_OK;
    const char *now = jx_str_or(setting, "word", "");
    holds = holds && equal_ct(now, strlen(now), word, strlen(word));
    json_decref(setting);
    if (!holds) {
        call_fail(c, API_NOT_FOUND, NULL, NULL);
    }
    return holds;
}

/* Ends the call with the text of a calendar. */
static void reply_calendar(struct call *c, const struct buf *out)
{
    http_reply_header(c->req, "Cache-Control", "private, no-store");
    http_reply_header(c->req, "Referrer-Policy", "no-referrer");
    call_text(c, 200, MIME, buf_str(out), out->len);
}

void calendars_feed(struct call *c)
{
    char word[ICS_WORD_SIZE], from[CLOCK_TEXT_SIZE];
    struct store_page page;
    struct buf out;
    const char *id = call_param(c, "agent");
    const char *part = opened(c, "calendar", id, word);
    json_t *agent = part != NULL ? record(c, KIND_AGENT, part, id) : NULL;
    if (agent == NULL || (!c->caller.known && !word_holds(c, part, id, word))) {
        return;
    }
    struct page_query query = {.kind = KIND_APPOINTMENT,
                               .part = part,
                               .index = INDEX_APPOINTMENT_STARTS,
                               .match = {id},
                               .from = clock_rfc3339(clock_wall_ms() - FEED_PAST, from),
                               .limit = FEED_MOST};
    enum err rc = snapshot_page(c->snap, &query, &page);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    json_t *appointments = call_keep(c, json_array());
    for (size_t i = 0; i < page.count; i++) {
        jx_push(appointments, json_incref(page.rows[i].body));
    }
    store_page_free(&page);
    buf_init(&out, FEED_BYTES);
    ics_feed(agent, appointments, &out);
    reply_calendar(c, &out);
    buf_fini(&out);
}

void calendars_invitation(struct call *c)
{
    char word[ICS_WORD_SIZE];
    struct buf out;
    const char *id = call_param(c, "appointment");
    const char *part = opened(c, "invitation", id, word);
    json_t *appointment = part != NULL ? record(c, KIND_APPOINTMENT, part, id) : NULL;
    json_t *agent =
        appointment != NULL ? record(c, KIND_AGENT, part, jx_str_or(appointment, "agent_id", "")) : NULL;
    if (agent == NULL) {
        return;
    }
    buf_init(&out, FEED_BYTES);
    ics_invitation(agent, appointment, &out);
    reply_calendar(c, &out);
    buf_fini(&out);
}

void calendars_open(struct call *c)
{
    uint8_t bytes[16];
    char word[ICS_WORD_SIZE];
    struct buf token;
    json_t *old = NULL, *agent = call_agent(c, NULL);
    uint64_t rev = 0;
    if (agent == NULL) {
        return;
    }
    const char *id = jx_str_or(agent, "id", ""), *setting = setting_of(c, id);
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(word + 2 * i, 3, "%02x", bytes[i]);
    }
    buf_init(&token, TOKEN_BYTES);
    enum err rc = ics_token("calendar", id, c->part, word, &token);
    if (rc == ERR_OK && snapshot_get(c->snap, KIND_SETTING, c->part, setting, &old, &rev) == ERR_OK) {
        json_decref(old);
    }
    if (rc == ERR_OK) {
        json_t *value = call_keep(c, json_pack("{s:s}", "word", word)), *answer = json_object();
        changes_expect(call_changes(c), KIND_SETTING, c->part, setting, rev);
        changes_put(call_changes(c), KIND_SETTING, c->part, setting, value);
        jx_set_str(answer, "token", buf_str(&token));
        jx_set_str(answer, "url",
                   arena_printf(c->arena, "%s/calendars/%s/feed.ics?token=%s", c->api->app->public_url, id,
                                buf_str(&token)));
        call_audit(c, "calendar.opened", id);
        call_commit(c, 201, answer);
    } else {
        call_refuse(c, rc, NULL, "");
    }
    buf_fini(&token);
}

void calendars_close(struct call *c)
{
    json_t *agent = call_agent(c, NULL);
    if (agent != NULL) {
        const char *id = jx_str_or(agent, "id", "");
        changes_delete(call_changes(c), KIND_SETTING, c->part, setting_of(c, id));
        call_audit(c, "calendar.closed", id);
        call_commit(c, 204, NULL);
    }
}

json_t *appointment_public(struct call *c, const json_t *appointment)
{
    struct buf token;
    const char *id = jx_str_or(appointment, "id", "");
    json_t *out = json_copy((json_t *)appointment);
    buf_init(&token, TOKEN_BYTES);
    if (ics_token("invitation", id, c->part, "-", &token) == ERR_OK) {
        jx_set_str(out, "invitation_url",
                   arena_printf(c->arena, "%s/calendars/%s/invitation.ics?token=%s", c->api->app->public_url,
                                id, buf_str(&token)));
    }
    buf_fini(&token);
    return out;
}
