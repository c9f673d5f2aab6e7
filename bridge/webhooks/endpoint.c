/* endpoint.c: the endpoint's record: secrets sealed, at most three alive, the current one first. */
#include "bridge/webhooks/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/events.h"

#define SECRET_LEAST 16
#define SEALED_MAX   1024

void endpoint_secret_make(char out[SIGN_SECRET_SIZE])
{
    uint8_t bytes[32];
    struct buf text;
    random_bytes(bytes, sizeof(bytes));
    buf_init(&text, SIGN_SECRET_SIZE - 1);
    buf_adds(&text, "whsec_");
    base64_encode(&text, bytes, sizeof(bytes));
    snprintf(out, SIGN_SECRET_SIZE, "%s", buf_str(&text));
    buf_fini(&text);
}

bool endpoint_secret_fits(const char *secret)
{
    size_t len = strlen(secret);
    for (size_t i = 0; i < len; i++) {
        if (secret[i] <= ' ' || secret[i] > '~') {
            return false;
        }
    }
    return len >= SECRET_LEAST && len < SIGN_SECRET_SIZE;
}

/* What a secret is sealed under. The caller frees. */
static char *context_of(const json_t *webhook, const char *part)
{
    return xasprintf("%s/%s", part, jx_str_or(webhook, "id", ""));
}

/* True if a secret still signs. */
static bool is_live(const json_t *secret)
{
    int64_t ms;
    bool date_only;
    const char *until = jx_str(secret, "until");
    return until == NULL || (clock_parse(until, &ms, &date_only) && ms > clock_wall_ms());
}

/* The secrets that go on beside a new one, ended at the latest when the overlap is over. */
static void keep_former(json_t *to, const json_t *former, int64_t overlap_ms)
{
    size_t i;
    json_t *item;
    json_array_foreach (former, i, item) {
        if (overlap_ms <= 0 || !is_live(item) || json_array_size(to) == SIGN_SECRETS) {
            continue;
        }
        json_t *kept = json_copy(item);
        if (jx_str(kept, "until") == NULL) {
            jx_set_time(kept, "until", clock_wall_ms() + overlap_ms);
        }
        jx_push(to, kept);
    }
}

void endpoint_secret_set(json_t *webhook, const char *part, const char *secret, int64_t overlap_ms)
{
    struct buf sealed;
    uint8_t key[SIGN_KEY_MAX];
    size_t key_size;
    char *context = context_of(webhook, part);
    json_t *secrets = json_array(), *current = json_object();
    buf_init(&sealed, SEALED_MAX);
    CHECK(seal(context, secret, strlen(secret), &sealed) == ERR_OK);
    free(context);
    jx_set_str(current, "sealed", buf_str(&sealed));
    buf_fini(&sealed);
    jx_push(secrets, current);
    keep_former(secrets, jx_arr(webhook, "secrets"), overlap_ms);
    jx_set(webhook, "secrets", secrets);
    jx_set_str(webhook, "signing_key", sign_key(secret, key, &key_size) ? "base64" : "raw");
    wipe(key, sizeof(key));
}

unsigned endpoint_secrets(const json_t *webhook, const char *part, char out[SIGN_SECRETS][SIGN_SECRET_SIZE])
{
    unsigned count = 0;
    size_t i;
    json_t *item;
    struct buf plain;
    char *context = context_of(webhook, part);
    buf_init(&plain, SIGN_SECRET_SIZE - 1);
    json_array_foreach (jx_arr(webhook, "secrets"), i, item) {
        buf_reset(&plain);
        if (count < SIGN_SECRETS && is_live(item) &&
            unseal(context, jx_str_or(item, "sealed", ""), &plain) == ERR_OK) {
            snprintf(out[count++], SIGN_SECRET_SIZE, "%s", buf_str(&plain));
        }
    }
    if (plain.room > 0) {
        wipe(plain.data, plain.room);
    }
    buf_fini(&plain);
    free(context);
    return count;
}

json_t *endpoint_public(const json_t *webhook)
{
    json_t *out = json_copy((json_t *)webhook);
    json_object_del(out, "secrets");
    return out;
}

/* The alias of a type, "" if it has none. */
static const char *alias_of(const char *type)
{
    for (unsigned i = 0; i < event_row_count; i++) {
        if (strcmp(event_rows[i].type, type) == 0) {
            return event_rows[i].alias;
        }
    }
    return "";
}

/* True if a pattern of a subscription reaches this name: the name itself, "*", "word.*". */
static bool reaches(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);
    return strcmp(pattern, name) == 0 || strcmp(pattern, "*") == 0 ||
           (len > 2 && strcmp(pattern + len - 2, ".*") == 0 && strncmp(pattern, name, len - 1) == 0);
}

const char *endpoint_event_name(const json_t *webhook, const char *type)
{
    size_t i;
    json_t *item;
    const char *alias = alias_of(type), *name = type;
    json_array_foreach (jx_arr(webhook, "events"), i, item) {
        const char *pattern = json_string_value(item);
        if (reaches(pattern, type)) {
            return type;
        }
        if (alias[0] != '\0' && reaches(pattern, alias)) {
            name = alias;
        }
    }
    return name;
}
