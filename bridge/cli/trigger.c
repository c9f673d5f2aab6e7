/* trigger.c: `chasqui trigger EVENT`: plays in test mode what leads to an event, with real objects, so that
 * what follows from it happens, too. An event is a row of steps; a step is a call of the REST API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/client.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"

#define SHOP \
    "chasqui trigger"      /* the agent that leads and appointments are made with, and the names it lists */
#define SHOP_AHEAD 3603000 /* an appointment this far ahead is reminded of in a few seconds */

/* What a step may know: {agent} {conversation} {channel} {number} {made} {start}. */
struct scene {
    struct cli *cli;
    char *agent, *conversation, *channel;
    char *made; /* id of what the last step made */
    char number[24], start[CLOCK_TEXT_SIZE];
};

enum step {
    END,
    WRITES,
    WRITES_FAILING,
    SHOWS,
    TALK,
    TAG,
    CLOSE,
    HANDOFF,
    JOIN,
    ANSWER,
    RESOLVE,
    RATE,
    TEACH,
    TEACH_NOWHERE,
    NEARLY_OVER,
    KEEP_CHANNEL,
    OPEN_SHOP,
    SET_UP,
    LEAD,
    GOOD_LEAD,
    BOOK,
    CANCEL,
};

static const struct {
    const char *method, *path, *body;
} steps[] = {
    [WRITES] = {"POST", "/api/v1/sandbox/inbound/",
                "{\"from\":\"{number}\",\"text\":\"Hello\",\"agent_id\":\"{agent}\"}"},
    [WRITES_FAILING] = {"POST", "/api/v1/sandbox/inbound/",
                        "{\"from\":\"+15550100001\",\"text\":\"Hello\",\"agent_id\":\"{agent}\"}"},
    [SHOWS] =
        {"POST", "/api/v1/sandbox/inbound/",
         "{\"from\":\"{number}\",\"agent_id\":\"{agent}\",\"type\":\"image\",\"image\":{\"mime_type\":"
         "\"image/png\","
         "\"data\":\"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
         "rkJggg==\"}}"},
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
    [TEACH_NOWHERE] =
        {"POST", "/api/v1/agents/{agent}/knowledge/",
         "{\"title\":\"Triggered {number}\",\"doc_type\":\"url\",\"url\":\"https://127.0.0.1:1/\"}"},
    [NEARLY_OVER] = {"POST", "/api/v1/sandbox/window/",
                     "{\"from\":\"{number}\",\"open\":true,\"seconds\":50,\"agent_id\":\"{agent}\"}"},
    [KEEP_CHANNEL] = {"PATCH", "/api/v1/agents/{agent}/channels/{channel}/", "{\"agent_id\":\"{agent}\"}"},
    [OPEN_SHOP] = {"POST", "/api/v1/agents/", "{\"name\":\"" SHOP "\"}"},
    [SET_UP] =
        {"PATCH", "/api/v1/agents/{agent}/settings/",
         "{\"leads\":{\"enabled\":true,\"fields\":[{\"name\":\"email\",\"type\":\"email\",\"required\":true,"
         "\"score\":30},{\"name\":\"budget\",\"type\":\"number\"}],\"qualify\":{\"required\":[\"email\"],"
         "\"min_score\":50,\"rules\":[{\"field\":\"budget\",\"op\":\"gt\",\"value\":1000,\"score\":40}]}},"
         "\"appointments\":{\"enabled\":true,\"time_zone\":\"Europe/"
         "Madrid\",\"horizon_days\":30,\"services\":"
         "[{\"id\":\"visit\",\"name\":\"Visit\",\"minutes\":30,\"resources\":[\"room\"]}],\"resources\":"
         "[{\"id\":\"room\",\"capacity\":100}],\"reminders\":[{\"before_minutes\":60}]}}"},
    [LEAD] =
        {"POST", "/api/v1/leads/",
         "{\"agent_id\":\"{agent}\",\"name\":\"Lena\",\"fields\":{\"email\":\"lena{number}@example.com\"}}"},
    [GOOD_LEAD] =
        {"POST", "/api/v1/leads/",
         "{\"agent_id\":\"{agent}\",\"name\":\"Lena\",\"fields\":{\"email\":\"lena{number}@example.com\","
         "\"budget\":2000}}"},
    [BOOK] = {"POST", "/api/v1/appointments/",
              "{\"agent_id\":\"{agent}\",\"service\":\"visit\",\"starts_at\":\"{start}\",\"name\":\"Lena\"}"},
    [CANCEL] = {"PATCH", "/api/v1/appointments/{made}/",
                "{\"status\":\"cancelled\",\"reason\":\"triggered\"}"},
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
    {"knowledge.failed", {TEACH_NOWHERE}},
    {"channel.updated", {WRITES, KEEP_CHANNEL}},
    {"window.closing", {WRITES, NEARLY_OVER}},
    {"media.ready", {SHOWS}},
    {"lead.created", {SET_UP, LEAD}},
    {"lead.qualified", {SET_UP, GOOD_LEAD}},
    {"appointment.booked", {SET_UP, BOOK}},
    {"appointment.cancelled", {SET_UP, BOOK, CANCEL}},
    {"appointment.reminder", {SET_UP, BOOK}},
};
#define TRIGGERS (sizeof(triggers) / sizeof(triggers[0]))

/* Events that only the outside world can cause, and how it does. */
static const struct {
    const char *event, *how;
} others[] = {
    {"message.transcribed", "needs a model that hears: name one in the agent's settings, then let a customer "
                            "send a voice message"},
    {"template.updated", "comes when WhatsApp judges a template of a connected number"},
    {"webhook.failing",
     "comes when an endpoint has done nothing but fail for half of webhooks.disable_after"},
    {"webhook.disabled", "comes at once when an endpoint answers 410, else after webhooks.disable_after of "
                         "nothing but failures"},
    {"webhook.test", "goes to one endpoint: POST /api/v1/webhooks/ID/test/"},
};
#define OTHERS (sizeof(others) / sizeof(others[0]))

/* The text with its names filled in. The caller frees. */
static char *fill(const struct scene *scene, const char *text)
{
    const struct {
        const char *name, *value;
    } words[] = {{"{agent}", scene->agent},     {"{conversation}", scene->conversation},
                 {"{channel}", scene->channel}, {"{number}", scene->number},
                 {"{made}", scene->made},       {"{start}", scene->start}};
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
    if (code == EXIT_DONE && scene->channel == NULL && jx_str(answer, "channel_id") != NULL) {
        scene->channel = xstrdup(jx_str(answer, "channel_id"));
    }
    if (code == EXIT_DONE && jx_str(answer, "id") != NULL) {
        free(scene->made);
        scene->made = xstrdup(jx_str(answer, "id"));
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

/* The shop among the account's agents, opened if it is not there: the settings of the account's own agents
 * stay as they are. */
static enum cli_exit find_shop(struct scene *scene)
{
    json_t *list = NULL, *row;
    size_t i;
    enum cli_exit code = client_call(scene->cli, "GET", "/api/v1/agents/?page_size=100", NULL, &list);
    json_array_foreach (jx_arr(list, "results"), i, row) {
        if (scene->agent == NULL && strcmp(jx_str_or(row, "name", ""), SHOP) == 0) {
            scene->agent = xstrdup(jx_str_or(row, "id", ""));
        }
    }
    json_decref(list);
    if (code == EXIT_DONE && scene->agent == NULL) {
        code = play(scene, OPEN_SHOP);
        scene->agent = code == EXIT_DONE ? xstrdup(scene->made) : NULL;
    }
    return code;
}

/* Who plays: the shop where the agent's settings matter, unless an agent was named; that one's stay as they
 * are. */
static enum cli_exit find_agent(struct scene *scene, const struct trigger *trigger)
{
    bool named = scene->cli->flags[FLAG_AGENT] != NULL;
    if (trigger->steps[0] == SET_UP && !named) {
        return find_shop(scene);
    }
    return client_agent(scene->cli, &scene->agent);
}

/* All events that can be triggered, one in a line; on standard error those that cannot. */
static enum cli_exit list(void)
{
    for (size_t i = 0; i < TRIGGERS; i++) {
        puts(triggers[i].event);
    }
    for (size_t i = 0; i < OTHERS; i++) {
        fprintf(stderr, "not here: %s %s\n", others[i].event, others[i].how);
    }
    return EXIT_DONE;
}

/* Why the event cannot be triggered. */
static enum cli_exit refuse(const char *event)
{
    for (size_t i = 0; i < OTHERS && event != NULL; i++) {
        if (strcmp(others[i].event, event) == 0) {
            return cli_fail(EXIT_USAGE, "%s cannot be played: it %s", event, others[i].how);
        }
    }
    return cli_fail(EXIT_USAGE,
                    "trigger needs an event; chasqui trigger list names those it can make happen");
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
        return refuse(event);
    }
    if (cli->live) {
        return cli_fail(EXIT_USAGE, "trigger works in test mode only");
    }
    snprintf(scene.number, sizeof(scene.number), "+1415%07u", (unsigned)random_below(10000000));
    clock_rfc3339(clock_wall_ms() + SHOP_AHEAD, scene.start);
    enum cli_exit code = find_agent(&scene, trigger);
    size_t first = trigger->steps[0] == SET_UP && cli->flags[FLAG_AGENT] != NULL ? 1 : 0;
    for (size_t i = first; code == EXIT_DONE && trigger->steps[i] != END; i++) {
        code = play(&scene, trigger->steps[i]);
    }
    free(scene.conversation);
    free(scene.channel);
    free(scene.made);
    free(scene.agent);
    return code;
}
