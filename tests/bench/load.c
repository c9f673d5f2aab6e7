/* load.c: an HTTP/1.1 load generator for the ingest benchmark: signed WhatsApp webhooks over keep-alive
 * connections.
 *
 * usage: load [OPTION VALUE]... http://127.0.0.1:PORT/PATH
 * Takes loopback targets only and has a bound on everything. Prints one line of JSON; exit 0 if anything was
 * acknowledged, 1 if nothing was, 2 for wrong arguments. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/bench/load_client.h"
#include "tests/bench/load_payload.h"

#include "queue/base/crypto.h"

struct settings {
    long connections, size, customers, count, prepare;
    long warm_ms, window_ms;
    const char *secret, *kind, *phone_id, *status_id, *tag;
    char host[64];
    char address[32];
    unsigned port;
    const char *path;
};

struct flag {
    const char *name;
    size_t at; /* offset of a long or a const char * in the settings */
    bool text;
    long min, max; /* of a number */
    const char *help;
};

#define NUMBER(name, field, min, max, help)                           \
    {                                                                 \
        name, offsetof(struct settings, field), false, min, max, help \
    }
#define TEXT(name, field, help)                                  \
    {                                                            \
        name, offsetof(struct settings, field), true, 0, 0, help \
    }
static const struct flag flags[] = {
    NUMBER("--connections", connections, 1, 4096, "keep-alive connections"),
    NUMBER("--ms", window_ms, 1, 600000, "length of the measured window"),
    NUMBER("--warm-ms", warm_ms, 0, 60000, "load before the window"),
    NUMBER("--count", count, 0, 50000000, "stop after that many requests; 0: when the window ends"),
    NUMBER("--prepare", prepare, 0, 5000000, "signatures made before the run"),
    NUMBER("--size", size, 500, 32768, "bytes of a message body"),
    NUMBER("--customers", customers, 1, 10000000, "distinct senders"),
    TEXT("--secret", secret, "the app secret that signs"),
    TEXT("--kind", kind, "message or status"),
    TEXT("--phone-id", phone_id, "phone_number_id in the payload"),
    TEXT("--status-id", status_id, "the message all statuses are about; one of its own for each if absent"),
    TEXT("--tag", tag, "8 letters or digits that make the ids of this run unique; random if absent"),
};
#undef NUMBER
#undef TEXT
#define FLAG_COUNT (sizeof flags / sizeof *flags)

static int usage(void)
{
    fprintf(stderr, "usage: load [OPTION VALUE]... http://127.0.0.1:PORT/PATH\n");
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        fprintf(stderr, "  %-14s %s\n", flags[i].name, flags[i].help);
    }
    return 2;
}

static bool set_flag(struct settings *settings, const char *name, const char *value)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        void *place = (char *)settings + flags[i].at;
        if (strcmp(flags[i].name, name) != 0) {
            continue;
        }
        if (flags[i].text) {
            *(const char **)place = value;
            return true;
        }
        char *end = NULL;
        long number = strtol(value, &end, 10);
        *(long *)place = number;
        return end != value && *end == '\0' && number >= flags[i].min && number <= flags[i].max;
    }
    return false;
}

/* Takes http://127.x.y.z:PORT/PATH apart; nothing but loopback is accepted. */
static bool set_target(struct settings *settings, const char *url)
{
    unsigned part[3] = {0};
    int path_at = 0;

    if (sscanf(url, "http://127.%3u.%3u.%3u:%5u%n", &part[0], &part[1], &part[2], &settings->port,
               &path_at) != 4 ||
        part[0] > 255 || part[1] > 255 || part[2] > 255 || settings->port == 0 || settings->port > 65535) {
        return false;
    }
    settings->path = url + path_at;
    snprintf(settings->address, sizeof settings->address, "127.%u.%u.%u", part[0], part[1], part[2]);
    snprintf(settings->host, sizeof settings->host, "%s:%u", settings->address, settings->port);
    return settings->path[0] == '/' && strpbrk(settings->path, " \r\n") == NULL;
}

static bool parse(struct settings *settings, int argc, char **argv)
{
    bool target = false;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            target = !target && set_target(settings, argv[i]);
            if (!target) {
                return false;
            }
        } else if (i + 1 >= argc || !set_flag(settings, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    bool kind = strcmp(settings->kind, "message") == 0 || strcmp(settings->kind, "status") == 0;
    return target && kind && strlen(settings->tag) == 8;
}

static double percentile_ms(const struct load_result *r, double share)
{
    if (r->latencies == 0) {
        return 0;
    }
    size_t at = (size_t)(share * (double)r->latencies);
    return r->latency_us[at < r->latencies ? at : r->latencies - 1] / 1000.0;
}

static void print_errors(const struct load_result *r)
{
    const struct {
        const char *name;
        uint64_t count;
    } others[] = {{"connect", r->failed_connects},
                  {"closed", r->closed},
                  {"malformed", r->malformed},
                  {"unanswered", r->unanswered}};
    const char *comma = "";

    printf("\"errors\":{");
    for (unsigned i = 0; i < LOAD_STATUS_MAX; i++) {
        if (r->statuses[i] > 0 && i / 100 != 2) {
            printf("%s\"%u\":%" PRIu64, comma, i, r->statuses[i]);
            comma = ",";
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (others[i].count > 0) {
            printf("%s\"%s\":%" PRIu64, comma, others[i].name, others[i].count);
            comma = ",";
        }
    }
    printf("}");
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print(const struct settings *s, const struct load_result *r, size_t body, double cpu)
{
    double seconds = (double)r->took_us / 1e6;

    printf("{\"connections\":%ld,\"seconds\":%.3f,\"body_bytes\":%zu,\"acked\":%" PRIu64
           ",\"acked_total\":%" PRIu64 ",\"acked_per_s\":%.0f,",
           s->connections, seconds, body, r->acked, r->acked_total,
           seconds > 0 ? (double)r->acked / seconds : 0);
    printf("\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"load_cpu_s\":%.2f,",
           percentile_ms(r, 0.5), percentile_ms(r, 0.99), percentile_ms(r, 0.999), percentile_ms(r, 1), cpu);
    print_errors(r);
    printf("}\n");
}

static int run(const struct settings *s)
{
    struct payload_options what = {.kind = s->kind[0] == 'm' ? PAYLOAD_MESSAGE : PAYLOAD_STATUS,
                                   .host = s->host,
                                   .path = s->path,
                                   .secret = s->secret,
                                   .phone_id = s->phone_id,
                                   .status_id = s->status_id,
                                   .tag = s->tag,
                                   .body_size = (size_t)s->size,
                                   .customers = (unsigned)s->customers};
    struct load_options how = {.address = s->address,
                               .port = s->port,
                               .connections = (unsigned)s->connections,
                               .warm_us = s->warm_ms * 1000,
                               .window_us = s->window_ms * 1000,
                               .count = (uint64_t)s->count};
    struct payload *payload = payload_new(&what);
    struct load_result result;

    payload_prepare(payload, (size_t)s->prepare);
    double before = cpu_seconds();
    enum err rc = load_run(&how, payload, &result);
    if (rc == ERR_OK) {
        print(s, &result, payload_body_size(payload), cpu_seconds() - before);
    } else {
        fprintf(stderr, "load: no connection to %s\n", s->host);
    }
    free(result.latency_us);
    payload_free(payload);
    return rc == ERR_OK && result.acked_total > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct settings settings = {.connections = 64,
                                .size = 1024,
                                .customers = 1000,
                                .prepare = 100000,
                                .warm_ms = 500,
                                .window_ms = 3000,
                                .secret = "app-secret",
                                .kind = "message",
                                .phone_id = "106540352242922"};
    char tag[9];
    uint32_t random;

    random_bytes(&random, sizeof random);
    snprintf(tag, sizeof tag, "%08x", random);
    settings.tag = tag;
    if (!parse(&settings, argc, argv)) {
        return usage();
    }
    return run(&settings);
}
