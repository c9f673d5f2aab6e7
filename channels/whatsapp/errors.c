/* errors.c: what an answer of the Graph API means for the message, the channel and the clock.
 *
 * The code decides, then the HTTP status; titles and messages never do, since Meta changes them. Throttling
 * is documented as 400 and seen as 429. */
#include <stdio.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/crypto.h"

#define WAIT_MAX_MS 3600000

static const struct whatsapp_error rows[] = {
#define X(first, last, class, wait, factor, tries, text) {first, last, class, wait, factor, tries, text},
#include "channels/whatsapp/tbl_errors.h"
#undef X
};

/* Codes without a row: by status. */
static const struct whatsapp_error by_status[] = {
    {401, 401, WHATSAPP_AUTH, 0, 0, 0, "not authorised"},
    {408, 408, WHATSAPP_RETRY, 2000, 2, 0, "the platform timed out"},
    {429, 429, WHATSAPP_RETRY, 2000, 2, 0, "too many requests"},
    {400, 499, WHATSAPP_REFUSED, 0, 0, 0, "refused by the platform"},
    {500, 599, WHATSAPP_RETRY, 2000, 2, 0, "the platform failed"},
};

/* The first row whose range holds the number. */
static const struct whatsapp_error *row_in(const struct whatsapp_error *list, size_t count, int64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (number >= list[i].first && number <= list[i].last) {
            return &list[i];
        }
    }
    return NULL;
}

const struct whatsapp_error *whatsapp_error_row(int64_t code)
{
    return row_in(rows, sizeof rows / sizeof *rows, code);
}

const struct whatsapp_error *whatsapp_error_at(unsigned index)
{
    return index < sizeof rows / sizeof *rows ? &rows[index] : NULL;
}

enum refusal whatsapp_refusal(const char *code)
{
    static const struct {
        const char *code;
        enum refusal means;
    } special[] = {{"131047", REFUSAL_WINDOW}, {"131050", REFUSAL_OPTED_OUT}};

    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (strcmp(special[i].code, code) == 0) {
            return special[i].means;
        }
    }
    return REFUSAL_MESSAGE;
}

/* The wait after the given attempt: between half and all of wait * factor^(attempt - 1). */
static int64_t wait_after(const struct whatsapp_error *row, unsigned attempt)
{
    int64_t wait = row->wait_ms;

    for (unsigned i = 1; i < attempt && wait < WAIT_MAX_MS; i++) {
        wait *= row->factor > 1 ? row->factor : 1;
    }
    wait = wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
    return wait / 2 + (int64_t)random_below((uint64_t)(wait / 2) + 1);
}

/* A row's class as an outcome of this attempt. */
static void outcome_of(const struct whatsapp_error *row, unsigned attempt, struct send_result *result)
{
    switch (row->class) {
    case WHATSAPP_RETRY:
        result->outcome = row->tries > 0 && attempt >= row->tries ? SEND_REFUSED : SEND_LATER;
        result->retry_ms = result->outcome == SEND_LATER ? wait_after(row, attempt) : 0;
        return;
    case WHATSAPP_AUTH:
    case WHATSAPP_ACCOUNT:
        result->outcome = SEND_CHANNEL;
        return;
    case WHATSAPP_REFUSED:
    case WHATSAPP_TEMPLATE:
        result->outcome = SEND_REFUSED;
        return;
    }
}

/* Static text of a code: those of the table are known, others are named by their status. */
static const char *code_text(int64_t code, long status)
{
    static _Thread_local char text[32];

    if (code >= 0) {
        snprintf(text, sizeof text, "%lld", (long long)code);
    } else {
        snprintf(text, sizeof text, "HTTP_%ld", status);
    }
    return text;
}

/* A success: with the message's id, or else in doubt. */
static struct send_result accepted(const json_t *body)
{
    const char *id = jx_str(json_array_get(jx_arr(body, "messages"), 0), "id");

    if (id == NULL || id[0] == '\0') {
        return (struct send_result){
            .outcome = SEND_UNKNOWN, .code = "NO_ID", .title = "the answer names no message", .detail = ""};
    }
    return (struct send_result){.outcome = SEND_ACCEPTED, .platform_id = id};
}

struct send_result whatsapp_judge(long status, const json_t *body, unsigned attempt)
{
    const json_t *error = jx_obj(body, "error");
    int64_t code = jx_int(error, "code", -1);

    if (status >= 200 && status < 300 && error == NULL) {
        return accepted(body);
    }
    if (status == 504 && error == NULL) {
        return (struct send_result){
            .outcome = SEND_UNKNOWN, .code = "HTTP_504", .title = "a gateway gave up waiting", .detail = ""};
    }
    const struct whatsapp_error *row = code >= 0 ? whatsapp_error_row(code) : NULL;
    if (row == NULL) {
        row = row_in(by_status, sizeof by_status / sizeof *by_status, status);
    }
    row = row != NULL ? row : &by_status[sizeof by_status / sizeof *by_status - 1];
    const char *detail = jx_str(jx_obj(error, "error_data"), "details");
    detail = detail != NULL ? detail : jx_str(error, "error_data");
    struct send_result result = {.code = code_text(code, status),
                                 .title = jx_str_or(error, "message", row->text),
                                 .detail = detail != NULL ? detail : row->text};
    outcome_of(row, attempt > 0 ? attempt : 1, &result);
    return result;
}
