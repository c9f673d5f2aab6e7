/* accounts.c: a new account and all that it needs to work, in one change-set. */
#include "bridge/api/accounts.h"

#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "bridge/api/keys.h"
#include "bridge/api/limits.h"
#include "bridge/api/sandbox.h"
#include "queue/base/clock.h"

#define NAME_MAX_BYTES  200
#define EMAIL_MAX_BYTES 254

/* Names the member that is wrong. */
static enum err refuse(const char **field, struct buf *why, const char *name, const char *reason)
{
    *field = name;
    buf_adds(why, reason);
    return ERR_INVALID;
}

/* What the caller chose. */
static enum err check(const char *name, const char *email, const char *plan, const char **field,
                      struct buf *why)
{
    if (name[0] == '\0' || strlen(name) > NAME_MAX_BYTES) {
        return refuse(field, why, "name", "must be 1 to 200 bytes");
    }
    const char *at = strchr(email, '@');
    if (at == NULL || at == email || at[1] == '\0' || strlen(email) > EMAIL_MAX_BYTES ||
        strchr(email, ' ') != NULL) {
        return refuse(field, why, "email", "must be an e-mail address");
    }
    if (plan_find(plan) == NULL) {
        return refuse(field, why, "plan", "must be one of free, pro, enterprise");
    }
    return ERR_OK;
}

/* The first agent in one partition; in test mode with a sandbox number, so that it can be written to at once.
 */
static enum err add_agent(struct changes *cs, const char *account_id, enum mode mode, const char *agent_id,
                          const char *name, const char **field, struct buf *why)
{
    struct partition part = partition_of(account_id, mode);
    json_t *agent = NULL, *channel = NULL, *body = json_object();
    jx_set_str(body, "name", name);
    if (mode == MODE_TEST) {
        jx_set_str(body, "phone_number", SANDBOX_NUMBER);
    }
    enum err rc = agent_create(cs, part.text, agent_id, body, &agent, field, why);
    if (rc == ERR_OK && mode == MODE_TEST) {
        rc = sandbox_channel_add(cs, part.text, agent_id, 0, &channel, field, why);
    }
    json_decref(body);
    json_decref(agent);
    json_decref(channel);
    return rc;
}

/* One key of the account. */
static void add_key(struct changes *cs, const char *account_id, enum mode mode, char *out)
{
    struct key_spec spec = {.account_id = account_id,
                            .mode = mode,
                            .name = mode == MODE_LIVE ? "First live key" : "First test key"};
    json_decref(key_create(cs, &spec, out));
}

/* The account's own record. */
static void add_record(struct changes *cs, const char *name, const char *email, const char *plan,
                       const struct account_made *made)
{
    json_t *account = json_object();
    jx_set_str(account, "id", made->account_id.text);
    jx_set_str(account, "user_id", id_new("usr").text);
    jx_set_str(account, "name", name);
    jx_set_str(account, "email", email);
    jx_set_str(account, "plan", plan);
    jx_set_str(account, "agent_id", made->agent_id.text);
    jx_set_time(account, "created_at", clock_wall_ms());
    changes_expect(cs, KIND_ACCOUNT, PARTITION_GLOBAL, made->account_id.text, 0);
    changes_put(cs, KIND_ACCOUNT, PARTITION_GLOBAL, made->account_id.text, account);
    json_decref(account);
}

enum err account_create(struct changes *cs, const char *name, const char *email, const char *plan,
                        struct account_made *made, const char **field, struct buf *why)
{
    enum err rc = check(name, email, plan, field, why);
    if (rc != ERR_OK) {
        return rc;
    }
    made->account_id = id_new(kind_row(KIND_ACCOUNT)->prefix);
    made->agent_id = id_new(kind_row(KIND_AGENT)->prefix);
    add_record(cs, name, email, plan, made);
    rc = add_agent(cs, made->account_id.text, MODE_LIVE, made->agent_id.text, name, field, why);
    if (rc == ERR_OK) {
        rc = add_agent(cs, made->account_id.text, MODE_TEST, made->agent_id.text, name, field, why);
    }
    add_key(cs, made->account_id.text, MODE_LIVE, made->live_key);
    add_key(cs, made->account_id.text, MODE_TEST, made->test_key);
    return rc;
}

enum err account_get(struct snapshot *snap, const char *id, json_t **account, uint64_t *rev)
{
    struct store_page page;
    if (id != NULL) {
        return strlen(id) > STORE_ID_MAX
                   ? ERR_NOTFOUND
                   : snapshot_get(snap, KIND_ACCOUNT, PARTITION_GLOBAL, id, account, rev);
    }
    struct page_query query = {.kind = KIND_ACCOUNT, .part = PARTITION_GLOBAL, .limit = 1};
    enum err rc = snapshot_page(snap, &query, &page);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = page.count == 1 ? ERR_OK : ERR_NOTFOUND;
    if (rc == ERR_OK) {
        *account = json_incref(page.rows[0].body);
        if (rev != NULL) {
            *rev = page.rows[0].rev;
        }
    }
    store_page_free(&page);
    return rc;
}
