/* secret.c: seals, opens, shows what may be shown. */
#include "agent/tool/secret.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"

#define NAME_MAX_LEN 64
#define HINT_LEAST   12 /* shorter secrets do not show their last characters */

bool secret_name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN || !isalpha((unsigned char)name[0])) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && *name != '_') {
            return false;
        }
    }
    return true;
}

/* What a sealed value is bound to. */
static char *context_of(const char *part, const char *name)
{
    return xasprintf("%s/secret/%s", part, name);
}

static bool value_ok(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f) {
            return false;
        }
    }
    return len > 0 && len <= SECRET_VALUE_MAX;
}

enum err secret_put(struct changes *cs, const char *part, const char *name, const char *value,
                    const json_t *old, uint64_t rev, json_t **out)
{
    struct buf sealed;
    size_t len = strlen(value);

    if (!secret_name_ok(name) || !value_ok(value, len)) {
        return ERR_INVALID;
    }
    char *context = context_of(part, name);
    buf_init(&sealed, 4 * SECRET_VALUE_MAX);
    enum err rc = seal(context, value, len, &sealed);
    if (rc == ERR_OK) {
        int64_t now = clock_wall_ms();
        json_t *record = json_object();
        jx_set_str(record, "name", name);
        jx_set_str(record, "sealed", buf_str(&sealed));
        if (len >= HINT_LEAST) {
            jx_set_str(record, "last4", value + len - 4);
        }
        jx_set_time(record, "created_at", now);
        if (jx_str(old, "created_at") != NULL) {
            jx_set_str(record, "created_at", jx_str(old, "created_at"));
        }
        jx_set_time(record, "updated_at", now);
        changes_expect(cs, KIND_SECRET, part, name, rev);
        changes_put(cs, KIND_SECRET, part, name, record);
        *out = record;
    }
    buf_fini(&sealed);
    free(context);
    return rc;
}

enum err secret_open(struct snapshot *snap, const char *part, const char *name, struct buf *out)
{
    json_t *record = NULL;

    if (!secret_name_ok(name)) {
        return ERR_NOTFOUND;
    }
    enum err rc = snapshot_get(snap, KIND_SECRET, part, name, &record, NULL);
    if (rc == ERR_OK) {
        char *context = context_of(part, name);
        rc = unseal(context, jx_str_or(record, "sealed", ""), out);
        free(context);
    }
    json_decref(record);
    return rc;
}

json_t *secret_public(const json_t *record)
{
    json_t *view = json_object();

    jx_set_str(view, "name", jx_str(record, "name"));
    jx_set_str(view, "last4", jx_str(record, "last4"));
    jx_set_str(view, "created_at", jx_str(record, "created_at"));
    jx_set_str(view, "updated_at", jx_str(record, "updated_at"));
    return view;
}
