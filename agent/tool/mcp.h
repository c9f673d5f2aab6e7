/* mcp.h: a client of MCP servers over Streamable HTTP (modelcontextprotocol.io, revision 2025-06-18): tools
 * that somebody's server offers to the agent's model.
 *
 * server: {"name", "url", "headers"?: {name: text with {{secret.NAME}}}, "allowed_tools": [name]}. Each
 * message is one POST; the answer is one JSON value or a stream that holds it. The session id that a server
 * gives at initialize goes with every later message, as does the revision agreed on; a server that has
 * forgotten the session (404) is greeted anew, once. Lists of tools are kept MCP_LIST_MS for each partition,
 * server and spec; only tools named in allowed_tools are ever offered or called. Never a program on this
 * machine: HTTP only, private addresses refused unless allowed, answers up to MCP_ANSWER_MAX, no redirects.
 * Secrets are opened for the one request and reach neither log nor model. Thread: the loop of the httpc. */
#ifndef CHASQUI_AGENT_TOOL_MCP_H
#define CHASQUI_AGENT_TOOL_MCP_H

#include "queue/base/json.h"
#include "queue/store.h"

#define MCP_VERSION    "2025-06-18"
#define MCP_LIST_MS    300000
#define MCP_TIME_MS    10000 /* one request, all of its messages together */
#define MCP_ANSWER_MAX (256u << 10)
#define MCP_SERVERS    8 /* of one agent */

struct httpc;

struct mcp_result {
    bool ok;
    const char *text;    /* of a call: what the tool said; not ok: plain words */
    const json_t *tools; /* of a list: array {"name", "description", "inputSchema"}, only allowed ones */
};
typedef void (*mcp_fn)(const struct mcp_result *result, void *arg);

struct mcp_call;
/* The tools kept from an earlier list: new reference, NULL if there are none or they are too old. */
json_t *mcp_kept(const char *part, const json_t *server);
/* fn is called exactly once, later; the handle is good until then. The texts and values are copied. */
struct mcp_call *mcp_list(struct httpc *http, struct store *store, const char *part, const json_t *server,
                          mcp_fn fn, void *arg);
struct mcp_call *mcp_run(struct httpc *http, struct store *store, const char *part, const json_t *server,
                         const char *tool, const json_t *arguments, mcp_fn fn, void *arg);
/* fn is not called afterwards. */
void mcp_cancel(struct mcp_call *call);
/* True if a server's declaration can be used. */
bool mcp_server_ok(const json_t *server, struct buf *why);
void mcp_reset(void); /* tests: forgets lists and sessions */

#endif
