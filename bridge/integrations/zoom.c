/* zoom.c: a meeting for each booking.
 *
 * A server-to-server OAuth app gives a token for its account id, client id and secret (grant
 * account_credentials); with it POST /users/{me}/meetings makes a meeting of type 2 (scheduled). The link is
 * stored with the appointment and told in its conversation. A booking that has a meeting gets no second one;
 * a cancelled one loses it. Source: Zoom's developer pages on server-to-server OAuth and on meetings. */
#include <stdlib.h>
#include <string.h>

#include "bridge/integrations/run.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"

#define BASIC_MAX   1024
#define MINUTE_MS   60000
#define MINUTES_DEF 30

static const json_t *booking(const struct run *run)
{
    return jx_obj(jx_obj(run->event, "data"), "appointment");
}

/* Tells the customer the link, if free text may be sent. */
static enum err tell(struct run *run, struct changes *cs, struct snapshot *snap, const json_t *appointment)
{
    uint64_t rev;
    json_t *conversation = NULL;
    const char *id = jx_str(appointment, "conversation_id");
    int64_t now = clock_wall_ms();
    if (id == NULL || conversation_get(snap, run->part, id, &conversation, &rev) != ERR_OK) {
        return ERR_OK;
    }
    if (conversation_window_open(conversation, now)) {
        char *text =
            xasprintf("Your appointment is an online meeting: %s", jx_str_or(run->made, "join_url", ""));
        struct message_draft draft = {
            .author_type = "system", .type = "text", .text = text, .confidence = -1, .source = "flow"};
        (void)message_send(cs, snap, run->part, conversation, &draft);
        jx_set_time(conversation, "last_message_at", now);
        conversation_put(cs, run->part, conversation, rev);
        free(text);
    }
    json_decref(conversation);
    return ERR_OK;
}

/* A run_changes_fn: the meeting is the appointment's. */
static enum err keep(struct run *run, struct changes *cs, struct snapshot *snap)
{
    uint64_t rev;
    json_t *appointment = NULL;
    const char *id = jx_str_or(booking(run), "id", "-");
    enum err rc = snapshot_get(snap, KIND_APPOINTMENT, run->part, id, &appointment, &rev);
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    jx_set(appointment, "meeting", json_incref(run->made));
    changes_expect(cs, KIND_APPOINTMENT, run->part, id, rev);
    changes_put(cs, KIND_APPOINTMENT, run->part, id, appointment);
    rc = tell(run, cs, snap, appointment);
    json_decref(appointment);
    return rc;
}

/* The meeting is there. */
static void met(struct run *run, const struct api_call_result *result)
{
    const char *join = jx_str(result->body, "join_url");
    if (!result->ok || join == NULL) {
        run_fail(run, result->why != NULL ? result->why : "the answer names no meeting", true);
        return;
    }
    run->made = json_object();
    jx_set_str(run->made, "provider", "zoom");
    jx_set(run->made, "id", json_sprintf("%lld", (long long)jx_int(result->body, "id", 0)));
    jx_set_str(run->made, "join_url", join);
    run_done(run, keep);
}

/* The meeting is gone, or was before. */
static void unmet(struct run *run, const struct api_call_result *result)
{
    if (result->ok || result->status == 404) {
        run_done(run, NULL);
    } else {
        run_fail(run, result->why != NULL ? result->why : "refused", true);
    }
}

/* A call of the API with the token in vars. */
static json_t *spec_of(struct run *run, const char *method, const char *path)
{
    json_t *spec = json_object();
    const char *base = integration_text(run->integration, "base_url", "https://api.zoom.us/v2");
    jx_set_str(spec, "method", method);
    jx_set(spec, "url", json_sprintf("%s%s", base, path));
    jx_set(spec, "headers", json_pack("{s:s}", "Authorization", "Bearer {{token}}"));
    return spec;
}

/* Minutes between two times. */
static int64_t minutes(const json_t *appointment)
{
    int64_t from = 0, to = 0;
    bool date_only;
    bool known = clock_parse(jx_str_or(appointment, "starts_at", ""), &from, &date_only) &&
                 clock_parse(jx_str_or(appointment, "ends_at", ""), &to, &date_only);
    return known && to > from ? (to - from) / MINUTE_MS : MINUTES_DEF;
}

/* With a token: makes the booking's meeting, or takes it back. */
static void act(struct run *run)
{
    const json_t *appointment = booking(run);
    const char *service = jx_str_or(appointment, "service", "Appointment");
    if (strcmp(jx_str_or(run->event, "type", ""), "appointment.cancelled") == 0) {
        const char *path =
            arena_printf(run->arena, "/meetings/%s", jx_str_or(jx_obj(appointment, "meeting"), "id", "0"));
        run_call(run, spec_of(run, "DELETE", path), unmet);
        return;
    }
    const char *user = integration_text(run->integration, "user_id", "me");
    json_t *spec = spec_of(run, "POST", arena_printf(run->arena, "/users/%s/meetings", user));
    jx_set_str(run->vars, "topic", service);
    jx_set(spec, "body",
           json_pack("{s:s, s:i, s:s, s:I, s:s}", "topic", "{{topic}}", "type", 2, "start_time",
                     jx_str_or(appointment, "starts_at", ""), "duration", (json_int_t)minutes(appointment),
                     "timezone", "UTC"));
    run_call(run, spec, met);
}

/* The token is there. */
static void signed_in(struct run *run, const struct api_call_result *result)
{
    const char *token = jx_str(result->body, "access_token");
    if (!result->ok || token == NULL) {
        run_fail(run, result->why != NULL ? result->why : "Zoom gave no token", true);
        return;
    }
    jx_set_str(run->vars, "token", token);
    act(run);
}

/* Asks for a token. */
static void sign_in(struct run *run)
{
    struct buf basic;
    const char *client = integration_text(run->integration, "client_id", "");
    if (!run_secret(run, "client_secret", "client_secret")) {
        run_fail(run, "the client secret is not set", true);
        return;
    }
    buf_init(&basic, BASIC_MAX);
    const char *pair = arena_printf(run->arena, "%s:%s", client, jx_str_or(run->vars, "client_secret", ""));
    base64_encode(&basic, pair, strlen(pair));
    jx_set_str(run->vars, "basic", buf_str(&basic));
    buf_fini(&basic);
    jx_set_str(run->vars, "account", integration_text(run->integration, "account_id", ""));
    json_t *spec = json_object();
    jx_set_str(spec, "method", "POST");
    jx_set(spec, "url",
           json_sprintf("%s/token?grant_type=account_credentials&account_id={{account}}",
                        integration_text(run->integration, "oauth_url", "https://zoom.us/oauth")));
    jx_set(spec, "headers", json_pack("{s:s}", "Authorization", "Basic {{basic}}"));
    run_call(run, spec, signed_in);
}

/* True if the booking still stands without a meeting, or a cancelled one has one. */
static bool needed(struct run *run)
{
    struct snapshot *snap = NULL;
    json_t *appointment = NULL;
    bool cancelled = strcmp(jx_str_or(run->event, "type", ""), "appointment.cancelled") == 0;
    if (snapshot_open(job_store(run->job), &snap) != ERR_OK) {
        return true;
    }
    bool there = snapshot_get(snap, KIND_APPOINTMENT, run->part, jx_str_or(booking(run), "id", "-"),
                              &appointment, NULL) == ERR_OK;
    snapshot_close(snap);
    bool has = jx_obj(appointment, "meeting") != NULL;
    bool stands = there && strcmp(jx_str_or(appointment, "status", ""), "booked") == 0;
    json_decref(appointment);
    return cancelled ? jx_obj(booking(run), "meeting") != NULL : stands && !has;
}

void zoom_run(struct run *run)
{
    if (!needed(run)) {
        run_done(run, NULL);
    } else if (run_secret(run, "token", "token")) {
        act(run);
    } else {
        sign_in(run);
    }
}
