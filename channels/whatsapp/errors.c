/* errors.c: what an answer of the Graph API means for the message, the channel and the clock.
 *
 * The code decides, then the HTTP status; titles and messages never do, since Meta changes them. Throttling
 * is documented as 400 and seen as 429. */
#include <stdio.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/crypto.h"

#define WAIT_MAX_MS   3600000
#define USAGE_NEAR    80    /* per cent of a limit from which on the channel slows down */
#define USAGE_STEP_MS 100   /* between messages, for each per cent from there on */
#define USAGE_FULL_MS 60000 /* at the limit, where the platform does not say how long */

static const struct whatsapp_error rows[] = {
#define X(first, last, class, wait, factor, tries, scope, text) \
    {first, last, class, wait, factor, tries, scope, text},
#include "channels/whatsapp/tbl_errors.h"
#undef X
};

/* Codes without a row: by status. */
static const struct whatsapp_error by_status[] = {
    {401, 401, WHATSAPP_AUTH, 0, 0, 0, WHATSAPP_ONE, "not authorised"},
    {408, 408, WHATSAPP_RETRY, 2000, 2, 0, WHATSAPP_ONE, "the platform timed out"},
    {429, 429, WHATSAPP_RETRY, 2000, 2, 0, WHATSAPP_ALL, "too many requests"},
    {400, 499, WHATSAPP_REFUSED, 0, 0, 0, WHATSAPP_ONE, "refused by the platform"},
    {500, 599, WHATSAPP_RETRY, 2000, 2, 0, WHATSAPP_ONE, "the platform failed"},
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
        result->hold_ms = row->scope == WHATSAPP_ALL ? result->retry_ms : 0;
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

/* ---- usage ---- */

/* The highest of the figures of one object, all in per cent of a limit; *regain_ms: until calls are possible
 * again, where the platform says so. */
static int64_t usage_of(const json_t *usage, int64_t *regain_ms)
{
    static const char *const figures[] = {"call_count", "total_cputime", "total_time"};
    int64_t most = 0;

    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        int64_t figure = jx_int(usage, figures[i], 0);
        most = figure > most ? figure : most;
    }
    int64_t minutes = jx_int(usage, "estimated_time_to_regain_access", 0);
    minutes = minutes < WAIT_MAX_MS / 60000 ? minutes : WAIT_MAX_MS / 60000;
    *regain_ms = minutes * 60000 > *regain_ms ? minutes * 60000 : *regain_ms;
    return most;
}

int64_t whatsapp_usage_hold(const char *header)
{
    json_t *root = NULL;
    const char *account;
    json_t *list, *each;
    size_t i;
    int64_t regain_ms = 0;

    if (header == NULL || jx_parse_lenient(header, strlen(header), &root) != ERR_OK) {
        return 0;
    }
    int64_t most = usage_of(root, &regain_ms);
    json_object_foreach (root, account, list) {
        json_array_foreach (list, i, each) {
            int64_t figure = usage_of(each, &regain_ms);
            most = figure > most ? figure : most;
        }
    }
    json_decref(root);
    if (regain_ms > 0 || most < USAGE_NEAR) {
        return regain_ms;
    }
    return most >= 100 ? USAGE_FULL_MS : (most - USAGE_NEAR + 1) * USAGE_STEP_MS;
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
