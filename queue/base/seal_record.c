/* seal_record.c: secrets in records; see seal_record.h. */
#include "queue/base/seal_record.h"

#include <string.h>

#include "queue/base/buf.h"
#include "queue/base/crypto.h"

#define SEALED_MAX (64u << 10)
#define HINT_LEAST 12 /* shorter secrets do not show their last characters */

enum err seal_record(const char *context, const char *secret, json_t **out)
{
    size_t len = strlen(secret);
    struct buf text;

    buf_init(&text, SEALED_MAX);
    enum err rc = seal(context, secret, len, &text);
    if (rc == ERR_OK) {
        *out = json_object();
        jx_set_str(*out, "value", buf_str(&text));
        if (len >= HINT_LEAST) {
            jx_set_str(*out, "last4", secret + len - 4);
        }
    }
    buf_fini(&text);
    return rc;
}

json_t *seal_record_public(const json_t *sealed)
{
    json_t *view = json_object();

    jx_set_bool(view, "set", sealed != NULL);
    if (jx_str(sealed, "last4") != NULL) {
        jx_set_str(view, "last4", jx_str(sealed, "last4"));
    }
    return view;
}
