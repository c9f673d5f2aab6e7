/* verify.c: `chasqui verify`: is this body from us? With --signature it says yes or no; without, it prints
 * what the headers must be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/cli.h"
#include "bridge/webhooks/sign.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"

#define BODY_MAX    (16u << 20)
#define VALUE_MAX   4096
#define TOLERANCE_S 300

/* True if the list holds the item; items are apart by the separator. */
static bool holds(const char *list, char separator, const char *item)
{
    const char ends[] = {separator, ' ', '\0'};
    size_t want = strlen(item);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " ");
        size_t len = strcspn(at, ends);
        if (len == want && memcmp(at, item, len) == 0) {
            return true;
        }
        at += len + (at[len] != '\0');
    }
    return false;
}

/* Says yes or no. */
static enum cli_exit tell(const struct cli *cli, bool good, const char *why)
{
    if (cli->json) {
        json_t *out = json_object();
        jx_set_bool(out, "valid", good);
        jx_set_str(out, "reason", good ? NULL : why);
        cli_print_json(out);
        json_decref(out);
    } else if (good) {
        puts("valid");
    }
    return good ? EXIT_DONE : cli->json ? EXIT_PROBLEMS : cli_fail(EXIT_PROBLEMS, "not valid: %s", why);
}

/* Reads stdin; false if it is too large. */
static bool read_body(struct buf *body)
{
    char piece[16384];
    size_t got;
    do {
        got = fread(piece, 1, sizeof(piece), stdin);
        buf_add(body, piece, got);
    } while (got > 0);
    return buf_ok(body);
}

/* Compares or prints. */
static enum cli_exit check(const struct cli *cli, const struct sign_input *in, const char *plain,
                           const char *standard)
{
    const char *signature = cli->flags[FLAG_SIGNATURE];
    if (signature == NULL) {
        printf("X-ConvoAI-Signature: %s\n", plain);
        if (in->id != NULL) {
            printf("webhook-signature: %s\n", standard);
        }
        return EXIT_DONE;
    }
    if (strncmp(signature, "sha256=", 7) == 0) {
        return tell(cli, holds(signature, ',', plain), "the body or the secret is another one");
    }
    if (in->id == NULL) {
        return cli_fail(EXIT_USAGE, "a webhook-signature needs --id and --timestamp, too");
    }
    int64_t age = clock_wall_ms() / 1000 - in->timestamp_s;
    if (age > TOLERANCE_S || age < -TOLERANCE_S) {
        return tell(cli, false, "the timestamp is more than five minutes off");
    }
    return tell(cli, holds(signature, ' ', standard), "the body, id, timestamp or secret is another one");
}

enum cli_exit cli_verify(struct cli *cli)
{
    char secrets[1][SIGN_SECRET_SIZE];
    struct buf body, plain, standard;
    const char *secret = cli->flags[FLAG_SECRET], *timestamp = cli->flags[FLAG_TIMESTAMP];
    if (secret == NULL || strlen(secret) >= SIGN_SECRET_SIZE || secret[0] == '\0') {
        return cli_fail(EXIT_USAGE, "verify needs --secret");
    }
    memcpy(secrets[0], secret, strlen(secret) + 1);
    buf_init(&body, BODY_MAX);
    buf_init(&plain, VALUE_MAX);
    buf_init(&standard, VALUE_MAX);
    enum cli_exit code = EXIT_REFUSED;
    if (!read_body(&body)) {
        cli_fail(code, "the body is too large");
    } else {
        struct sign_input in = {.id = timestamp != NULL ? cli->flags[FLAG_ID] : NULL,
                                .timestamp_s = timestamp != NULL ? strtoll(timestamp, NULL, 10) : 0,
                                .body = buf_str(&body),
                                .size = body.len};
        sign_plain(&plain, secrets, 1, &in);
        if (in.id != NULL) {
            sign_standard(&standard, secrets, 1, &in);
        }
        code = check(cli, &in, buf_str(&plain), buf_str(&standard));
    }
    wipe(secrets, sizeof(secrets));
    buf_fini(&standard);
    buf_fini(&plain);
    buf_fini(&body);
    return code;
}
