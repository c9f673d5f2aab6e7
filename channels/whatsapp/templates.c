/* templates.c: calls about message templates: GET, POST and DELETE of {business account}/message_templates.
 */
#include <stdlib.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#define BODY_MAX   (1u << 20)
#define PAGE_QUERY "fields=name,language,status,category,components,id&limit=100"

/* A call under way. */
struct calling {
    template_done_fn done;
    void *arg;
};

static void answered(const struct httpc_answer *answer, void *arg)
{
    struct calling *c = arg;
    json_t *body = NULL;
    struct send_result result = {
        .outcome = SEND_LATER, .code = "NO_ANSWER", .title = "no answer came", .detail = answer->reason};

    if (answer->outcome == HTTPC_ANSWERED) {
        if (jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
            body = NULL;
        }
        if (answer->status >= 200 && answer->status <= 299) {
            result = (struct send_result){.outcome = SEND_DELIVERED, .code = "", .title = "", .detail = ""};
        } else {
            result = whatsapp_judge(answer->status, body, 1);
        }
    }
    c->done(&result, body, c->arg);
    json_decref(body);
    free(c);
}

/* The part of a query that a cursor or name may be: the rest of the characters is refused. */
static bool is_plain(const char *text)
{
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")] == '\0';
}

/* Path, query and method of what is asked; NULL if a text does not fit into an address. */
static char *address_of(const json_t *channel, const json_t *what, const char **method)
{
    const char *op = jx_str_or(what, "op", ""), *account = jx_str_or(channel, "business_account_id", "");
    const char *after = jx_str_or(what, "after", ""), *name = jx_str_or(what, "name", "");

    if (account[0] == '\0' || !is_plain(after) || !is_plain(name)) {
        return NULL;
    }
    if (strcmp(op, "create") == 0) {
        *method = "POST";
        return xasprintf("%s/message_templates", account);
    }
    if (strcmp(op, "delete") == 0) {
        *method = "DELETE";
        return xasprintf("%s/message_templates?name=%s", account, name);
    }
    *method = "GET";
    return xasprintf("%s/message_templates?" PAGE_QUERY "%s%s", account, after[0] != '\0' ? "&after=" : "",
                     after);
}

/* What Meta wants of a new template. */
static void body_add(const json_t *template, struct buf *out)
{
    static const char *const keys[] = {"name", "language", "category", "components"};
    json_t *body = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (json_object_get(template, keys[i]) != NULL) {
            jx_set(body, keys[i], json_incref(json_object_get(template, keys[i])));
        }
    }
    jx_dump(body, out);
    json_decref(body);
}

void whatsapp_template_call(const struct send_call *call, const json_t *what, template_done_fn done,
                            void *arg)
{
    static const struct send_result impossible = {.outcome = SEND_REFUSED,
                                                  .code = "NO_ACCOUNT",
                                                  .title = "the channel names no business_account_id",
                                                  .detail = "the channel names no business_account_id"};
    const char *method = NULL;
    char *path = address_of(call->channel, what, &method);
    struct buf body;

    if (path == NULL) {
        done(&impossible, NULL, arg);
        return;
    }
    struct calling *c = xcalloc(1, sizeof *c);
    *c = (struct calling){.done = done, .arg = arg};
    buf_init(&body, BODY_MAX);
    bool post = strcmp(method, "POST") == 0;
    if (post) {
        body_add(jx_obj(what, "template"), &body);
    }
    char *url = whatsapp_url(call->channel, path);
    if (!whatsapp_call(call, method, url, "application/json", post ? &body : NULL, answered, c)) {
        free(c);
        done(&impossible, NULL, arg);
    }
    free(url);
    free(path);
    buf_fini(&body);
}
