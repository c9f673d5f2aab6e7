/* errors.c: the classes in which a generation can end. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/model/errors.h"

static const struct {
    const char *name;
    enum model_act act;
} classes[] = {
#define X(symbol, name, act, text) {name, act},
    MODEL_CLASS_TABLE(X)
#undef X
};

/* By status alone; a range of one is the usual case. The first row that fits decides. */
static const struct {
    long from, to;
    enum model_class class;
} by_status[] = {
    {401, 401, MODEL_AUTH},         {402, 402, MODEL_QUOTA},      {403, 403, MODEL_AUTH},
    {404, 404, MODEL_NOT_FOUND},    {408, 409, MODEL_SERVER},     {413, 413, MODEL_CONTEXT},
    {429, 429, MODEL_RATE_LIMITED}, {503, 503, MODEL_OVERLOADED}, {529, 529, MODEL_OVERLOADED},
    {400, 499, MODEL_BAD_REQUEST},  {500, 599, MODEL_SERVER},     {300, 399, MODEL_BAD_REQUEST},
};

/* Signs in the code or type of an error. They decide before the status does. */
static const struct {
    const char *sign;
    enum model_class class;
} by_code[] = {
    {"insufficient_quota", MODEL_QUOTA},
    {"enforced_spend_limit_reached", MODEL_QUOTA},
    {"billing_error", MODEL_QUOTA},
    {"rate_limit_exceeded", MODEL_RATE_LIMITED},
    {"rate_limit_error", MODEL_RATE_LIMITED},
    {"overloaded_error", MODEL_OVERLOADED},
    {"context_length_exceeded", MODEL_CONTEXT},
    {"exceed_context_size_error", MODEL_CONTEXT},
    {"request_too_large", MODEL_CONTEXT},
    {"unsupported_parameter", MODEL_PARAMETER},
    {"unsupported_value", MODEL_PARAMETER},
    {"model_not_found", MODEL_NOT_FOUND},
    {"not_found_error", MODEL_NOT_FOUND},
    {"content_filter", MODEL_FILTERED},
    {"content_policy_violation", MODEL_FILTERED},
    {"invalid_api_key", MODEL_AUTH},
    {"authentication_error", MODEL_AUTH},
    {"permission_error", MODEL_AUTH},
};

/* Signs in the words of an error, for servers without codes. Lower case. */
static const struct {
    const char *sign;
    enum model_class class;
} by_words[] = {
    {"maximum context length", MODEL_CONTEXT}, {"available context size", MODEL_CONTEXT},
    {"context window", MODEL_CONTEXT},         {"prompt is too long", MODEL_CONTEXT},
    {"too many tokens", MODEL_CONTEXT},        {"loading model", MODEL_OVERLOADED},
    {"overloaded", MODEL_OVERLOADED},
};

const char *model_class_name(enum model_class class)
{
    CHECK(class < MODEL_CLASS_COUNT);
    return classes[class].name;
}

enum model_act model_class_act(enum model_class class)
{
    CHECK(class < MODEL_CLASS_COUNT);
    return classes[class].act;
}

/* The object that speaks of the error: {"error": {...}}, an array's first one, or the body itself. */
static const json_t *error_object(const json_t *body)
{
    const json_t *first = json_is_array(body) ? json_array_get(body, 0) : body;
    const json_t *inner = jx_obj(first, "error");

    return inner != NULL ? inner : first;
}

/* The words of an error, wherever they stand; "" if there are none. */
static const char *error_words(const json_t *body)
{
    static const char *const keys[] = {"message", "error", "detail"};
    const json_t *error = error_object(body);

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = jx_str(error, keys[i]);
        if (text != NULL) {
            return text;
        }
    }
    return "";
}

/* True if text holds sign, whatever the case. */
static bool holds(const char *text, const char *sign)
{
    return strcasestr(text, sign) != NULL;
}

/* The class that a code or a type names, MODEL_OK if none does. */
static enum model_class class_of_code(const json_t *body)
{
    static const char *const places[] = {"code", "type"};
    const json_t *error = error_object(body);
    const char *deep = jx_str(jx_obj(error, "details"), "error_code");

    for (size_t i = 0; i < sizeof by_code / sizeof *by_code; i++) {
        if (deep != NULL && strcmp(deep, by_code[i].sign) == 0) {
            return by_code[i].class;
        }
    }
    for (size_t p = 0; p < 2; p++) {
        const char *code = jx_str(error, places[p]);
        for (size_t i = 0; code != NULL && i < sizeof by_code / sizeof *by_code; i++) {
            if (strcmp(code, by_code[i].sign) == 0) {
                return by_code[i].class;
            }
        }
    }
    return MODEL_OK;
}

/* The class that the words give away, MODEL_OK if none. */
static enum model_class class_of_words(const json_t *body)
{
    const char *words = error_words(body);

    for (size_t i = 0; i < sizeof by_words / sizeof *by_words; i++) {
        if (holds(words, by_words[i].sign)) {
            return by_words[i].class;
        }
    }
    return MODEL_OK;
}

/* The class of a status; errors inside a 200 stream count as the server's. */
static enum model_class class_of_status(long status)
{
    for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++) {
        if (status >= by_status[i].from && status <= by_status[i].to) {
            return by_status[i].class;
        }
    }
    return MODEL_SERVER;
}

enum model_class model_error_class(long status, const json_t *body)
{
    enum model_class class = class_of_code(body);

    if (class == MODEL_OK) {
        class = class_of_words(body);
    }
    if (class == MODEL_OK && status < 300) {
        status = (long)jx_int(error_object(body), "code", status);
    }
    if (class == MODEL_OK) {
        class = class_of_status(status);
    }
    if (class == MODEL_BAD_REQUEST && model_error_param(body) != NULL) {
        class = MODEL_PARAMETER;
    }
    return class;
}

enum model_class model_outcome_class(enum httpc_outcome outcome)
{
    static const enum model_class of[] = {
        [HTTPC_ANSWERED] = MODEL_OK,         [HTTPC_BLOCKED] = MODEL_BLOCKED,
        [HTTPC_UNREACHED] = MODEL_SERVER,    [HTTPC_BROKEN] = MODEL_SERVER,
        [HTTPC_TIMEOUT] = MODEL_TIMEOUT,     [HTTPC_TOO_LARGE] = MODEL_MALFORMED,
        [HTTPC_CANCELLED] = MODEL_CANCELLED,
    };

    CHECK((size_t)outcome < sizeof of / sizeof *of);
    return of[outcome];
}

bool model_is_error(const json_t *body)
{
    const json_t *first = json_is_array(body) ? json_array_get(body, 0) : body;
    const json_t *error = json_object_get(first, "error");

    if (error != NULL && !json_is_null(error)) {
        return true;
    }
    return strcmp(jx_str_or(first, "object", ""), "error") == 0 ||
           strcmp(jx_str_or(first, "type", ""), "error") == 0 ||
           (json_object_get(first, "detail") != NULL && json_object_get(first, "choices") == NULL);
}

const char *model_error_param(const json_t *body)
{
    static const char *const known[] = {"stream_options", "temperature", "max_tokens",
                                        "max_completion_tokens", "response_format"};
    const char *param = jx_str_or(error_object(body), "param", "");
    const char *words = error_words(body);

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(param, known[i]) == 0) {
            return known[i];
        }
    }
    if (!holds(words, "unsupported") && !holds(words, "unrecognized") && !holds(words, "not permitted") &&
        !holds(words, "unknown field") && !holds(words, "not supported")) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (holds(words, known[i])) {
            return known[i];
        }
    }
    return NULL;
}

/* An HTTP date (RFC 9110 section 5.6.7, the preferred form) as wall time, -1 if it is none. */
static int64_t http_date_ms(const char *text)
{
    struct tm tm;

    memset(&tm, 0, sizeof tm);
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end != NULL && *end == '\0' ? (int64_t)timegm(&tm) * 1000 : -1;
}

/* A number of the given unit as ms, -1 if the text is no sensible number. */
static int64_t number_ms(const char *text, double unit)
{
    char *end = NULL;
    double value = text != NULL && *text != '\0' ? strtod(text, &end) : -1;

    if (end == NULL || *end != '\0' || !(value >= 0) || value > 1e9) {
        return -1;
    }
    return (int64_t)(value * unit);
}

int64_t model_retry_after(const char *retry_after_ms, const char *retry_after, int64_t now_ms)
{
    int64_t wait = number_ms(retry_after_ms, 1);

    if (wait < 0) {
        wait = number_ms(retry_after, 1000);
    }
    if (wait < 0 && retry_after != NULL) {
        int64_t date = http_date_ms(retry_after);
        wait = date < 0 ? -1 : date > now_ms ? date - now_ms : 0;
    }
    return wait;
}
