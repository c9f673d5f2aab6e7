/* trigger.c: `chasqui trigger EVENT`: plays in test mode what leads to an event, with real objects, so that
 * what follows from it happens, too. An event is a row of steps; a step is a call of the REST API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"
#include "queue/base/crypto.h"

/* What a step may know: {agent} {conversation} {number}. */
struct scene {
    struct cli *cli;
    char *agent, *conversation;
    char number[24];
};

enum step { END, WRITES, WRITES_FAILING, TALK, TAG, CLOSE, HANDOFF, JOIN, ANSWER, RESOLVE, RATE, TEACH };

static const struct {
    const char *method, *path, *body;
} steps[] = {
    [WRITES] = {"POST", "/api/v1/sandbox/inbound/",
                "{\"from\":\"{number}\",\"text\":\"Hello\",\"agent_id\":\"{agent}\"}"},
    [WRITES_FAILING] = {"POST", "/api/v1/sandbox/inbound/",
                        "{\"from\":\"+15550100001\",\"text\":\"Hello\",\"agent_id\":\"{agent}\"}"},
    [TALK] = {"POST", "/api/v1/agents/{agent}/invoke/", "{\"message\":\"Hello\"}"},
    [TAG] = {"PATCH", "/api/v1/conversations/{conversation}/",
             "{\"metadata\":{\"triggered_as\":\"{number}\"}}"},
    [CLOSE] = {"POST", "/api/v1/conversations/{conversation}/close/", "{}"},
    [HANDOFF] = {"POST", "/api/v1/conversations/{conversation}/handoff/", "{\"reason\":\"triggered\"}"},
    [JOIN] = {"POST", "/api/v1/conversations/{conversation}/join/", "{\"name\":\"Ana\"}"},
    [ANSWER] = {"POST", "/api/v1/conversations/{conversation}/messages/", "{\"text\":\"Hello, Ana here.\"}"},
    [RESOLVE] = {"POST", "/api/v1/conversations/{conversation}/resolve/", "{\"return_to\":\"ai\"}"},
    [RATE] = {"POST", "/api/v1/conversations/{conversation}/feedback/", "{\"rating\":\"up\"}"},
    [TEACH] = {"POST", "/api/v1/agents/{agent}/knowledge/",
               "{\"title\":\"Triggered {number}\",\"content\":\"A document made by chasqui trigger.\"}"},
};

static const struct trigger {
    const char *event;
    enum step steps[6];
} triggers[] = {
    {"conversation.started", {WRITES}},
    {"conversation.updated", {TALK, TAG}},
    {"conversation.ended", {TALK, CLOSE}},
    {"message.received", {WRITES}},
    {"message.sent", {WRITES}},
    {"message.delivered", {WRITES}},
    {"message.read", {WRITES}},
    {"message.failed", {WRITES_FAILING}},
    {"handoff.triggered", {TALK, HANDOFF}},
    {"escalation.triggered", {TALK, HANDOFF}},
    {"agent.joined", {TALK, HANDOFF, JOIN}},
    {"agent.message.sent", {TALK, HANDOFF, JOIN, ANSWER}},
    {"handoff.resolved", {TALK, HANDOFF, JOIN, RESOLVE}},
    {"feedback.received", {TALK, RATE}},
    {"knowledge.synced", {TEACH}},
};
#define TRIGGERS (sizeof(triggers) / sizeof(triggers[0]))

/* The text with its names filled in. The caller frees. */
static char *fill(const struct scene *scene, const char *text)
{
    const struct {
        const char *name, *value;
    } words[] = {
        {"{agent}", scene->agent}, {"{conversation}", scene->conversation}, {"{number}", scene->number}};
    struct buf out;
    buf_init(&out, 65536);
    while (*text != '\0') {
        size_t i, count = sizeof(words) / sizeof(words[0]);
        for (i = 0; i < count && strncmp(text, words[i].name, strlen(words[i].name)) != 0; i++) {
        }
        if (i < count) {
            buf_adds(&out, words[i].value != NULL ? words[i].value : "");
            text += strlen(words[i].name);
        } else {
            buf_addc(&out, *text++);
        }
    }
    char *filled = xstrdup(buf_str(&out));
    buf_fini(&out);
    return filled;
}

/* One call; the first conversation that an answer names is the scene's. */
static enum cli_exit play(struct scene *scene, enum step step)
{
    json_t *body = NULL, *answer = NULL;
    char *path = fill(scene, steps[step].path), *text = fill(scene, steps[step].body);
    CHECK(jx_parse_lenient(text, strlen(text), &body) == ERR_OK);
    enum cli_exit code = client_call(scene->cli, steps[step].method, path, body, &answer);
    if (code == EXIT_DONE && scene->conversation == NULL && jx_str(answer, "conversation_id") != NULL) {
        scene->conversation = xstrdup(jx_str(answer, "conversation_id"));
    }
    if (code == EXIT_DONE) {
        fprintf(stderr, "%s %s\n", steps[step].method, path);
    }
    json_decref(answer);
    json_decref(body);
    free(text);
    free(path);
    return code;
}

/* All events that can be triggered, one in a line. */
static enum cli_exit list(void)
{
    for (size_t i = 0; i < TRIGGERS; i++) {
        puts(triggers[i].event);
    }
    return EXIT_DONE;
}

static const struct trigger *find(const char *event)
{
    for (size_t i = 0; i < TRIGGERS; i++) {
        if (strcmp(triggers[i].event, event) == 0) {
            return &triggers[i];
        }
    }
    return NULL;
}

enum cli_exit cli_trigger(struct cli *cli)
{
    struct scene scene = {.cli = cli};
    const char *event = cli_arg(cli, 0);
    const struct trigger *trigger = event != NULL ? find(event) : NULL;
    if (event != NULL && strcmp(event, "list") == 0) {
        return list();
    }
    if (trigger == NULL || cli->arg_count != 1) {
        return cli_fail(EXIT_USAGE,
                        "trigger needs an event; chasqui trigger list names those it can make happen");
    }
    if (cli->live) {
        return cli_fail(EXIT_USAGE, "trigger works in test mode only");
    }
    snprintf(scene.number, sizeof(scene.number), "+1415%07u", (unsigned)random_below(10000000));
    enum cli_exit code = client_agent(cli, &scene.agent);
    for (size_t i = 0; code == EXIT_DONE && trigger->steps[i] != END; i++) {
        code = play(&scene, trigger->steps[i]);
    }
    free(scene.conversation);
    free(scene.agent);
    return code;
}
