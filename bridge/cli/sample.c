/* sample.c: `chasqui sample`: plays a week of a shop into the test partition and compares what came of it.
 *
 * The week's file says what the shop knows, how its agent is set up, and what customers write, day by day, with
 * what must come of it. Each run has customers of its own, so that it can be repeated; knowledge and flows are
 * replaced by name. Nothing leaves the machine: the sandbox takes the platform's place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge/cli/client.h"
#include "bridge/cli/files.h"
#include "bridge/cli/flows.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"

#define WEEK_MAX     (4u << 20)
#define WAIT_MS      65000 /* for the answers of one day */
#define POLL_MS      100
#define TALKS_MOST   1000 /* numbers of one run */
#define RUN_NUMBERS  10000000
#define BAR_WIDTH    30
#define SLOT_MARK    "{{slot}}"

/* One run. A talk is {"customer", "language", "day", "says": [turn...], "kind", "holds", "conversation_id"?,
 * "status"?, "reason"?, "said"?: [text...], "good"?}; a turn is the messages of one burst. */
struct sample {
    struct cli *cli;
    char *agent;
    char *folder; /* of the week's file, with its slash */
    json_t *week, *talks, *documents;
    size_t done;
    int64_t day_ends_ms; /* when answers are waited for no longer */
};

static enum cli_exit read_week(struct sample *s, const char *path)
{
    struct buf text, why;
    buf_init(&text, WEEK_MAX);
    buf_init(&why, 300);
    enum cli_exit code = files_read(path, &text);
    if (code == EXIT_DONE && jx_parse_strict(buf_str(&text), text.len, &s->week, &why) != ERR_OK) {
        code = cli_fail(EXIT_USAGE, "%s: %s", path, buf_str(&why));
    }
    buf_fini(&why);
    buf_fini(&text);
    const char *slash = strrchr(path, '/');
    s->folder = slash != NULL ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup("");
    return code;
}

/* ---- the shop ---- */

static void take_document(json_t *document, void *arg)
{
    struct sample *s = arg;
    if (jx_str(document, "content") != NULL) {
        jx_push(s->documents, document);
    } else {
        json_decref(document);
    }
}

/* Questions and answers that stand in the week itself. */
static void take_pairs(struct sample *s)
{
    const char *language;
    json_t *pairs, *pair;
    size_t i;
    json_object_foreach (jx_obj(s->week, "knowledge"), language, pairs) {
        json_array_foreach (pairs, i, pair) {
            const char *question = json_string_value(json_array_get(pair, 0));
            const char *answer = json_string_value(json_array_get(pair, 1));
            char *content = xasprintf("%s %s", question != NULL ? question : "", answer != NULL ? answer : "");
            char *name = xasprintf("week/%s/%zu", language, i + 1);
            json_t *document = json_object();
            jx_set_str(document, "title", question != NULL ? question : "");
            jx_set_str(document, "content", content);
            jx_set_str(document, "doc_type", "text");
            jx_set_str(document, "external_id", name);
            jx_push(s->documents, document);
            free(name);
            free(content);
        }
    }
}

/* What the shop knows: the files of the folder, and the week's own pairs. */
static enum cli_exit push_knowledge(struct sample *s)
{
    const char *folder = jx_str(s->week, "knowledge_folder");
    enum cli_exit code = EXIT_DONE;
    s->documents = json_array();
    if (folder != NULL) {
        char *path = xasprintf("%s%s", s->folder, folder);
        code = files_documents(path, take_document, s);
        free(path);
    }
    take_pairs(s);
    json_t *body = json_object(), *answer = NULL;
    jx_set(body, "documents", s->documents);
    char *path = xasprintf("/api/v1/agents/%s/knowledge/bulk/", s->agent);
    code = code == EXIT_DONE ? client_call(s->cli, "POST", path, body, &answer) : code;
    if (code == EXIT_DONE && jx_int(answer, "failed", 0) > 0) {
        code = cli_fail(EXIT_REFUSED, "%lld documents were refused", (long long)jx_int(answer, "failed", 0));
    }
    free(path);
    json_decref(answer);
    json_decref(body);
    return code;
}

/* Settings, knowledge and flows, as the week says. */
static enum cli_exit set_up(struct sample *s)
{
    json_t *body = json_object(), *flow;
    size_t i;
    char *path = xasprintf("/api/v1/agents/%s/", s->agent);
    jx_set(body, "settings", json_incref(jx_obj(s->week, "settings")));
    enum cli_exit code = client_call(s->cli, "PATCH", path, body, NULL);
    code = code == EXIT_DONE ? push_knowledge(s) : code;
    json_array_foreach (jx_arr(s->week, "flows"), i, flow) {
        char *file = json_is_string(flow) ? xasprintf("%s%s", s->folder, json_string_value(flow)) : NULL;
        json_t *read = file != NULL ? flows_read(file) : json_incref(flow);
        code = read == NULL ? EXIT_USAGE : code == EXIT_DONE ? flows_store(s->cli, read, NULL, NULL) : code;
        json_decref(read);
        free(file);
    }
    free(path);
    json_decref(body);
    return code;
}

/* ---- the customers ---- */

/* The turns of a talk: what is written as text, message, burst or dialog becomes a list of bursts. */
static json_t *turns_of(json_t *says)
{
    json_t *turns = json_array(), *turn, *dialog = json_is_object(says) ? jx_arr(says, "dialog") : NULL;
    size_t i;
    if (dialog == NULL) {
        jx_push(turns, json_is_array(says) ? json_incref(says) : json_pack("[O]", says));
    }
    json_array_foreach (dialog, i, turn) {
        jx_push(turns, json_is_array(turn) ? json_incref(turn) : json_pack("[O]", turn));
    }
    return turns;
}

static bool wanted(const struct cli *cli, const char *day)
{
    bool found = cli->arg_count <= 1;
    for (int i = 1; i < cli->arg_count; i++) {
        found = found || strcmp(cli->args[i], day) == 0;
    }
    return found;
}

/* All talks of the days that are played, each with a number that nobody had before. */
static void list_talks(struct sample *s)
{
    const char *language;
    json_t *rows, *row;
    size_t i, at = 0;
    long long run = (long long)(clock_wall_ms() / 100 % RUN_NUMBERS);
    json_object_foreach (jx_obj(s->week, "talks"), language, rows) {
        json_array_foreach (rows, i, row) {
            const char *day = json_string_value(json_array_get(row, 0));
            if (day == NULL || json_array_size(row) != 4 || !wanted(s->cli, day) || at >= TALKS_MOST) {
                continue;
            }
            json_t *talk = json_object();
            char *number = xasprintf("+1415%07lld%03zu", run, at++);
            jx_set_str(talk, "customer", number);
            jx_set_str(talk, "language", language);
            jx_set_str(talk, "day", day);
            jx_set(talk, "says", turns_of(json_array_get(row, 1)));
            jx_set(talk, "kind", json_incref(json_array_get(row, 2)));
            jx_set(talk, "holds", json_incref(json_array_get(row, 3)));
            jx_push(s->talks, talk);
            free(number);
        }
    }
}

/* The next free time of the shop; malloc'ed, "" if there is none. */
static char *free_slot(struct sample *s)
{
    json_t *answer = NULL;
    char *path = xasprintf("/api/v1/agents/%s/availability/?limit=1&service=%s", s->agent,
                           jx_str_or(s->week, "service", ""));
    enum cli_exit code = client_call(s->cli, "GET", path, NULL, &answer);
    const json_t *first = json_array_get(jx_arr(answer, "slots"), 0);
    char *slot = xstrdup(code == EXIT_DONE ? jx_str_or(first, "starts_at", "") : "");
    free(path);
    json_decref(answer);
    return slot;
}

/* The customer writes the messages of one turn. */
static enum cli_exit say(struct sample *s, const json_t *talk, const json_t *turn)
{
    json_t *what;
    size_t i;
    enum cli_exit code = EXIT_DONE;
    json_array_foreach ((json_t *)turn, i, what) {
        json_t *body = json_is_object(what) ? json_copy(what) : json_object();
        const char *text = json_string_value(what);
        char *slot = text != NULL && strcmp(text, SLOT_MARK) == 0 ? free_slot(s) : NULL;
        jx_set_str(body, "from", jx_str(talk, "customer"));
        jx_set_str(body, "agent_id", s->agent);
        if (text != NULL) {
            jx_set_str(body, "text", slot != NULL ? slot : text);
        }
        code = code == EXIT_DONE ? client_call(s->cli, "POST", "/api/v1/sandbox/inbound/", body, NULL) : code;
        free(slot);
        json_decref(body);
    }
    return code;
}

/* ---- what came of it ---- */

/* GET of a list; its first row (or all in *rows), new reference, NULL if there is none. */
static json_t *fetch(struct sample *s, char *path)
{
    json_t *answer = NULL;
    enum cli_exit code = client_call(s->cli, "GET", path, NULL, &answer);
    json_t *rows = code == EXIT_DONE ? json_incref(jx_arr(answer, "results")) : NULL;
    free(path);
    json_decref(answer);
    return rows;
}

/* Reads how far a talk is: the conversation's state and our words in it. */
static void look(struct sample *s, json_t *talk)
{
    size_t i;
    json_t *message, *said = json_array();
    const char *number = jx_str_or(talk, "customer", "+");
    json_t *contacts = fetch(s, xasprintf("/api/v1/contacts/?identity=%%2B%s", number + 1));
    const char *contact = jx_str_or(json_array_get(contacts, 0), "id", "con_none");
    json_t *rows = fetch(s, xasprintf("/api/v1/conversations/?contact_id=%s", contact));
    const json_t *conversation = json_array_get(rows, 0);
    const char *id = jx_str(conversation, "id");
    json_t *messages = id != NULL ? fetch(s, xasprintf("/api/v1/conversations/%s/messages/?page_size=100", id)) : NULL;
    json_array_foreach (messages, i, message) {
        if (strcmp(jx_str_or(message, "direction", ""), "out") == 0) {
            jx_push(said, json_string(jx_str_or(message, "text", "")));
        }
    }
    jx_set_str(talk, "conversation_id", id != NULL ? id : "");
    jx_set_str(talk, "status", jx_str_or(conversation, "status", ""));
    jx_set_str(talk, "reason", jx_str_or(jx_obj(conversation, "handoff"), "reason", ""));
    jx_set(talk, "said", said);
    json_decref(messages);
    json_decref(rows);
    json_decref(contacts);
}

static bool is(const json_t *talk, const char *field, const char *word)
{
    return strcmp(jx_str_or(talk, field, ""), word) == 0;
}

/* True once what was said to the customer's count turns so far is an answer to all of them. */
static bool answered(const json_t *talk, size_t count)
{
    size_t said = json_array_size(jx_arr(talk, "said"));
    bool whole = count == json_array_size(jx_arr(talk, "says"));
    return is(talk, "kind", "silent") ? jx_str_or(talk, "conversation_id", "")[0] != '\0'
                                      : said >= count && (!whole || !is(talk, "kind", "handoff") || is(talk, "status", "handoff"));
}

/* Waits until a talk's first count turns are answered, or the day's time is over. */
static void await(struct sample *s, json_t *talk, size_t count)
{
    const struct timespec pause = {0, POLL_MS * 1000000L};
    int64_t end = s->day_ends_ms;
    for (look(s, talk); !answered(talk, count) && clock_mono_ms() < end && !is(talk, "status", "handoff"); look(s, talk)) {
        nanosleep(&pause, NULL);
    }
}

/* Whether the outcome is what the week says. */
static bool holds(const json_t *talk)
{
    const json_t *said = jx_arr(talk, "said");
    size_t count = json_array_size(said), turns = json_array_size(jx_arr(talk, "says"));
    const char *last = jx_str_or(talk, "holds", "");
    const char *text = count > 0 ? json_string_value(json_array_get(said, count - 1)) : "";
    const char *first = count > 0 ? json_string_value(json_array_get(said, 0)) : "";
    bool found = strstr(text, last) != NULL || strstr(first, last) != NULL;
    if (is(talk, "kind", "silent")) {
        return count == 0;
    }
    if (is(talk, "kind", "handoff")) {
        return is(talk, "status", "handoff") && (last[0] == '\0' || is(talk, "reason", last)) && count >= turns;
    }
    return is(talk, "kind", "lead") || (is(talk, "status", "open") && count == turns && found);
}

static void show_progress(const struct sample *s)
{
    size_t total = json_array_size(s->talks), full = total > 0 ? s->done * BAR_WIDTH / total : BAR_WIDTH;
    if (!s->cli->tty || s->cli->json) {
        return;
    }
    fprintf(stderr, "\r[");
    for (size_t i = 0; i < BAR_WIDTH; i++) {
        fputc(i < full ? '#' : '.', stderr);
    }
    fprintf(stderr, "] %zu/%zu conversations%s", s->done, total, s->done == total ? "\n" : "");
}

/* One day: what needs no answer to go on is written first, all at once; dialogs follow, turn by turn. */
static enum cli_exit play_day(struct sample *s, const char *day)
{
    json_t *talk;
    size_t i, turn;
    enum cli_exit code = EXIT_DONE;
    s->day_ends_ms = clock_mono_ms() + WAIT_MS;
    for (int dialogs = 0; dialogs < 2; dialogs++) {
        json_array_foreach (s->talks, i, talk) {
            const json_t *turns = jx_arr(talk, "says");
            if (!is(talk, "day", day) || (json_array_size(turns) > 1) != dialogs) {
                continue;
            }
            for (turn = 0; turn < json_array_size(turns) && code == EXIT_DONE; turn++) {
                code = say(s, talk, json_array_get(turns, turn));
                if (dialogs) {
                    await(s, talk, turn + 1);
                }
            }
        }
    }
    json_array_foreach (s->talks, i, talk) {
        if (code == EXIT_DONE && is(talk, "day", day)) {
            await(s, talk, json_array_size(jx_arr(talk, "says")));
            s->done++;
            show_progress(s);
        }
    }
    return code;
}

/* Counts, and every talk that went another way. */
static enum cli_exit report(struct sample *s)
{
    json_t *talk, *counts = json_object(), *count;
    const char *kind;
    size_t i, good = 0, total = json_array_size(s->talks);
    json_array_foreach (s->talks, i, talk) {
        if (is(talk, "kind", "silent")) {
            look(s, talk); /* all others are answered, so it would be, too */
        }
        kind = jx_str_or(talk, "kind", "");
        jx_set_bool(talk, "good", holds(talk));
        jx_set_int(counts, kind, jx_int(counts, kind, 0) + 1);
        good += holds(talk);
        if (!holds(talk) && !s->cli->json) {
            fprintf(stderr, "chasqui: %s (%s, %s): wanted %s \"%s\", came %s %s\n", jx_str_or(talk, "customer", ""),
                    jx_str_or(talk, "day", ""), jx_str_or(talk, "language", ""), kind, jx_str_or(talk, "holds", ""),
                    jx_str_or(talk, "status", "nothing"), jx_str_or(talk, "reason", ""));
        }
    }
    if (s->cli->json) {
        json_t *out = json_object();
        jx_set(out, "conversations", json_incref(s->talks));
        jx_set_int(out, "as_expected", (int64_t)good);
        jx_set(out, "counts", json_incref(counts));
        cli_print_json(out);
        json_decref(out);
    } else {
        printf("%zu conversations:", total);
        json_object_foreach (counts, kind, count) {
            printf(" %lld %s", (long long)json_integer_value(count), kind);
        }
        printf("; %zu of %zu as expected\n", good, total);
        fprintf(stderr, "next: chasqui conversations ls\n");
    }
    json_decref(counts);
    return good == total ? EXIT_DONE : EXIT_REFUSED;
}

static enum cli_exit play(struct sample *s)
{
    json_t *day;
    size_t i;
    enum cli_exit code = client_agent(s->cli, &s->agent);
    code = code == EXIT_DONE ? set_up(s) : code;
    list_talks(s);
    json_array_foreach (jx_arr(s->week, "days"), i, day) {
        code = code == EXIT_DONE ? play_day(s, json_string_value(day) != NULL ? json_string_value(day) : "") : code;
    }
    return code == EXIT_DONE ? report(s) : code;
}

enum cli_exit cli_sample(struct cli *cli)
{
    struct sample s = {.cli = cli, .talks = json_array()};
    if (cli->live || cli_arg(cli, 0) == NULL) {
        json_decref(s.talks);
        return cli_fail(EXIT_USAGE, cli->live ? "sample plays in test mode only"
                                              : "sample needs the file of a week, such as deploy/week.json");
    }
    enum cli_exit code = read_week(&s, cli_arg(cli, 0));
    code = code == EXIT_DONE ? play(&s) : code;
    json_decref(s.talks);
    json_decref(s.week);
    free(s.folder);
    free(s.agent);
    return code;
}
