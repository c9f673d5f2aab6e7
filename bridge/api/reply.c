/* reply.c: the error envelope and the last step of every answer. */
#include "bridge/api/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"

#define ERROR_MAX (64u * 1024u) /* message and field are of a few hundred bytes */

static const struct api_error_row rows[API_ERROR_COUNT] = {
#define X(symbol, code, status, text) {code, status, text},
#include "bridge/api/tbl_api_errors.h"
#undef X
};

const struct api_error_row *api_error_row(enum api_error error)
{
    return &rows[error];
}

enum api_error api_error_of_status(int status)
{
    for (unsigned i = 0; i < API_ERROR_COUNT; i++) {
        if (rows[i].status == status) {
            return (enum api_error)i;
        }
    }
    return status < 500 ? API_BAD_REQUEST : API_INTERNAL;
}

/* One more text of an object. */
static void add_text(struct buf *out, const char *before, const char *text)
{
    buf_adds(out, before);
    jx_dump_str(out, text);
}

char *reply_error_text(enum api_error error, const char *field, const char *message, const char *request_id)
{
    char now[CLOCK_TEXT_SIZE], status[8];
    const char *words = message != NULL && message[0] != '\0' ? message : rows[error].text;
    struct buf out;
    buf_init(&out, ERROR_MAX);
    snprintf(status, sizeof(status), "%d", rows[error].status);
    add_text(&out, "{\"error\":{\"code\":", rows[error].code);
    add_text(&out, ",\"message\":", words);
    buf_adds(&out, ",\"status\":");
    buf_adds(&out, status);
    add_text(&out, ",\"timestamp\":", clock_rfc3339_ms(clock_wall_ms(), now));
    if (field != NULL && field[0] != '\0') {
        add_text(&out, ",\"field\":", field);
    }
    add_text(&out, ",\"request_id\":", request_id);
    add_text(&out, "},\"message\":", words);
    buf_addc(&out, '}');
    CHECK(buf_ok(&out));
    return buf_take(&out, NULL);
}

void reply_window(struct call *c)
{
    if (c->has_window) {
        http_reply_number(c->req, "X-RateLimit-Limit", c->window.limit);
        http_reply_number(c->req, "X-RateLimit-Remaining", c->window.remaining);
        http_reply_number(c->req, "X-RateLimit-Reset", c->window.reset_s);
    }
}

void reply_page_headers(struct call *c)
{
    static const char *const headers[][2] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
         "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
    };
    for (unsigned i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        http_reply_header(c->req, headers[i][0], headers[i][1]);
    }
}

void reply_send(struct call *c)
{
    reply_window(c);
    if (c->asset != NULL && c->status == 200) {
        http_reply_asset(c->req, c->asset);
        return;
    }
    if (c->answer == NULL) {
        http_reply(c->req, c->status, c->type, c->text != NULL ? c->text : "", c->text_size);
        return;
    }
    json_t *worn = c->bare ? json_incref(c->answer) : surface_out(c->surface, c->answer);
    char *text = jx_text(worn);
    json_decref(worn);
    http_reply(c->req, c->status, "application/json", text, strlen(text));
    free(text);
}
