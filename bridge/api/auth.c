/* auth.c: who calls, from the key or the Unix socket; requests are counted here, before anything else is done
 * for them. */
#include "bridge/api/auth.h"

#include <string.h>
#include <strings.h>

#include "bridge/api/accounts.h"
#include "bridge/api/keys.h"
#include "bridge/api/known.h"
#include "queue/base/clock.h"

#define WHO_SIZE 80 /* an address and the number of a route */

/* The key of a request whatever header carries it, NULL if none does. */
static const char *offered_key(const struct call *c)
{
    static const char *const headers[] = {"X-API-Key", "vivi-api-key"};
    const char *value = http_header(c->req, "Authorization");
    if (value != NULL && strncasecmp(value, "Bearer ", 7) == 0) {
        return value + 7 + strspn(value + 7, " ");
    }
    for (unsigned i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const char *key = http_header(c->req, headers[i]);
        if (key != NULL) {
            return key;
        }
    }
    return value; /* another scheme: a wrong key */
}

bool auth_offered(const struct call *c)
{
    return offered_key(c) != NULL || http_from_unix_socket(c->req);
}

/* 401, or 429 when this address has failed too often; the answer does not tell why. */
static bool refuse(struct call *c)
{
    struct limit_state state;
    if (!limits_take(c->api->limits, http_peer(c->req), plan_common(), LIMIT_SIGN_IN, 1, &state)) {
        http_reply_header(c->req, "Retry-After", arena_printf(c->arena, "%lld", (long long)state.retry_s));
        call_fail(c, API_RATE_LIMITED, NULL, "Too many failed sign-ins from this address.");
        return false;
    }
    http_reply_header(c->req, "WWW-Authenticate", "Bearer");
    call_fail(c, API_UNAUTHORIZED, NULL, NULL);
    return false;
}

static void copy_id(const char *id, char out[ID_SIZE])
{
    size_t len = strnlen(id, ID_SIZE - 1);
    memcpy(out, id, len);
    out[len] = '\0';
}

/* Account, mode and plan of a caller. */
static enum err set_caller(struct call *c, const char *account_id, enum mode mode)
{
    uint64_t rev;
    struct caller *caller = &c->caller;
    enum err rc = account_id != NULL && strlen(account_id) <= STORE_ID_MAX
                      ? known_get(call_snap(c), KIND_ACCOUNT, account_id, &caller->account, &rev)
                      : account_get(call_snap(c), account_id, &caller->account, &rev);
    if (rc != ERR_OK) {
        return rc;
    }
    call_keep(c, caller->account);
    copy_id(jx_str_or(caller->account, "id", ""), caller->account_id);
    caller->mode = mode;
    caller->part = partition_of(caller->account_id, mode);
    caller->plan = plan_find(jx_str_or(caller->account, "plan", "enterprise"));
    caller->known = caller->plan != NULL;
    c->part = caller->part.text;
    return caller->known ? ERR_OK : ERR_CORRUPT;
}

/* The administrator acts as the account he names. */
static bool identify_administrator(struct call *c)
{
    const char *mode = http_header(c->req, "Chasqui-Mode");
    if (mode != NULL && strcmp(mode, "live") != 0 && strcmp(mode, "test") != 0) {
        call_fail(c, API_BAD_FIELD, "Chasqui-Mode", "Chasqui-Mode must be live or test.");
        return false;
    }
    bool live = mode != NULL && strcmp(mode, "live") == 0;
    enum err rc = set_caller(c, http_header(c->req, "Chasqui-Account"), live ? MODE_LIVE : MODE_TEST);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, rc == ERR_NOTFOUND ? "There is no such account." : "");
        return false;
    }
    c->caller.administrator = true;
    return true;
}

/* last_used_at, at most once a minute; the guard keeps it from undoing a change or a revocation. */
static void touch(struct call *c, uint64_t rev)
{
    struct limit_state state;
    const char *id = c->caller.key_id;
    if (!limits_take(c->api->limits, id, plan_common(), LIMIT_TOUCH, 1, &state)) {
        return;
    }
    struct changes *cs = changes_new();
    json_t *key = json_copy(c->caller.key);
    jx_set_time(key, "last_used_at", clock_wall_ms());
    changes_expect(cs, KIND_KEY, PARTITION_GLOBAL, id, rev);
    changes_put(cs, KIND_KEY, PARTITION_GLOBAL, id, key);
    json_decref(key);
    store_submit(c->api->app->store, cs, NULL, NULL);
}

/* The caller of a key. */
static bool identify_key(struct call *c, const char *text)
{
    uint64_t rev;
    json_t *key;
    enum err rc = key_find(call_snap(c), text, &key, &rev);
    if (rc == ERR_OK) {
        c->caller.key = call_keep(c, key);
        copy_id(jx_str_or(key, "id", ""), c->caller.key_id);
        bool live = strcmp(jx_str_or(key, "mode", ""), "live") == 0;
        rc = set_caller(c, jx_str_or(key, "account_id", ""), live ? MODE_LIVE : MODE_TEST);
    }
    if (rc == ERR_NOTFOUND) {
        return refuse(c);
    }
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return false;
    }
    if (!key_allows_address(c->caller.key, http_peer(c->req))) {
        call_fail(c, API_BAD_ADDRESS, NULL, NULL);
        return false;
    }
    touch(c, rev);
    return true;
}

/* One request from the caller's window. */
static bool take_request(struct call *c)
{
    if (c->caller.administrator) {
        return true;
    }
    bool taken = limits_take(c->api->limits, c->caller.key_id, c->caller.plan, LIMIT_REQUESTS, 1, &c->window);
    c->has_window = c->window.limit > 0;
    if (!taken) {
        http_reply_header(c->req, "Retry-After",
                          arena_printf(c->arena, "%lld", (long long)c->window.retry_s));
        call_fail(c, API_RATE_LIMITED, NULL, "Too many requests: the plan allows %u %s.", c->window.limit,
                  limit_name(LIMIT_REQUESTS));
    }
    return taken;
}

/* "192.0.2.7 12": the address, and which of the routes it asks for. */
static void name_window(const struct call *c, char who[WHO_SIZE])
{
    size_t row = (size_t)(c->match.any - routes);
    size_t len = strnlen(http_peer(c->req), WHO_SIZE - 8);
    memcpy(who, http_peer(c->req), len);
    who[len++] = ' ';
    for (size_t unit = 10000; unit > 0; unit /= 10) {
        if (row >= unit || unit == 1) {
            who[len++] = (char)('0' + row / unit % 10);
        }
    }
    who[len] = '\0';
}

/* One request from the window of this address on this route; strangers are stopped before any key is looked
 * at. */
static bool take_address(struct call *c)
{
    struct limit_state state;
    if (http_from_unix_socket(c->req) || c->match.any == NULL) {
        return true;
    }
    char who[WHO_SIZE];
    name_window(c, who);
    if (limits_take(c->api->limits, who, plan_common(), LIMIT_ADDRESS, 1, &state)) {
        return true;
    }
    c->window = state;
    c->has_window = true;
    http_reply_header(c->req, "Retry-After", arena_printf(c->arena, "%lld", (long long)state.retry_s));
    call_fail(c, API_RATE_LIMITED, NULL, "Too many requests: %u %s are allowed.", state.limit,
              limit_name(LIMIT_ADDRESS));
    return false;
}

bool auth_identify(struct call *c)
{
    const char *key = offered_key(c);
    if (!take_address(c) || call_snap(c) == NULL) {
        return false;
    }
    bool known = key != NULL                     ? identify_key(c, key)
                 : http_from_unix_socket(c->req) ? identify_administrator(c)
                                                 : refuse(c);
    if (known) {
        http_vouch(c->req);
    }
    return known && take_request(c);
}

/* A channel's own key opens that channel over its own surface, and nothing else. */
static bool permit_channel(struct call *c)
{
    const char *channel = jx_str(c->caller.key, "channel_id");
    if (channel == NULL) {
        return true;
    }
    if (c->surface->bit != ON_VIVI) {
        call_fail(c, API_FORBIDDEN, NULL, "The key speaks for its channel alone.");
        return false;
    }
    if (strcmp(call_param(c, "channel"), channel) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such channel.");
        return false;
    }
    return true;
}

bool auth_permit(struct call *c)
{
    if (!permit_channel(c)) {
        return false;
    }
    if ((c->route->surfaces & TEST_ONLY) != 0 && c->caller.mode != MODE_TEST) {
        call_fail(c, API_WRONG_MODE, NULL, "This needs a ck_test_ key.");
        return false;
    }
    if (!c->caller.administrator && !key_allows(c->caller.key, c->route->scope)) {
        call_fail(c, API_FORBIDDEN, NULL, "The key lacks the scope %s.", c->route->scope);
        return false;
    }
    return true;
}

bool auth_still(struct call *c)
{
    struct snapshot *snap;
    if (c->caller.administrator || snapshot_open(c->api->app->store, &snap) != ERR_OK) {
        return true; /* no answer is no revocation: asked again soon */
    }
    bool good = key_is_good(snap, c->caller.key_id);
    snapshot_close(snap);
    return good;
}
