/* template.h: texts with {{names}} in them.
 *
 * A name is letters, digits and _, with dots between the steps into objects and arrays:
 * {{order.items.0.sku}}; spaces inside the braces do not matter. What the vars do not have becomes nothing.
 * {{secret.NAME}} is asked of the source, and only there. How a value is written depends on where it goes:
 * see the forms. Braces that hold no name stay as they are. Thread: any. */
#ifndef CHASQUI_AGENT_TEMPLATE_H
#define CHASQUI_AGENT_TEMPLATE_H

#include <stdbool.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"

#define TEMPLATE_NAME_MAX 128

enum template_form {
    TEMPLATE_PLAIN,  /* as it is */
    TEMPLATE_URL,    /* percent-encoded */
    TEMPLATE_HEADER, /* control characters become spaces */
    TEMPLATE_JSON,   /* inside quotes escaped, outside of them as JSON */
};
struct template_source {
    const json_t *vars;
    /* Adds the secret's text; false if there is none. NULL: secrets count as missing values. */
    bool (*secret)(const char *name, struct buf *out, void *arg);
    void *arg;
};
/* False: braces that do not close, or a name that cannot be one. secrets: whether {{secret.X}} may stand
 * here. */
bool template_check(const char *text, bool secrets, struct buf *why);
/* True if there is a {{name}} in it. */
bool template_any(const char *text);
/* False: a secret is missing; what was added so far stays in out. */
bool template_fill(const char *text, enum template_form form, const struct template_source *source,
                   struct buf *out);
/* A copy of value with its texts filled (not its keys); a text that is one {{name}} and nothing else takes
 * the value with its type. NULL: a secret is missing. */
json_t *template_json(const json_t *value, const struct template_source *source);
/* The value of a dotted name, NULL if there is none. Borrowed. */
const json_t *template_value(const json_t *vars, const char *name);

#endif
