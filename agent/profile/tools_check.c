/* tools_check.c: whether the tools that an agent declares can be used. */
#include <stdio.h>
#include <string.h>

#include "agent/profile/tools_check.h"

#include "agent/tool/api_call.h"
#include "agent/tool/args.h"
#include "agent/tool/mcp.h"

#define POINTER_SIZE 160

static _Thread_local char pointer[POINTER_SIZE];

/* Names the place and says why. */
static enum err refuse(const char **field, struct buf *why, const char *reason)
{
    *field = pointer;
    if (why != NULL) {
        buf_adds(why, reason);
    }
    return ERR_INVALID;
}

/* True if models' servers take the text as a tool's name. */
static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t n = text != NULL ? strspn(text, allowed) : 0;

    return n > 0 && n <= 64 && text[n] == '\0';
}

/* True if one of ours has this name, or an earlier one of the list. */
static bool is_taken(const json_t *list, size_t index, const char *name)
{
    static const char *const ours[] = {
#define X(tool, fn, enabled, times, description, parameters) tool,
#include "agent/tool/tbl_tools.h"
#undef X
    };
    bool taken = false;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        taken = taken || strcmp(ours[i], name) == 0;
    }
    for (size_t i = 0; i < index; i++) {
        taken = taken || strcmp(jx_str_or(json_array_get(list, i), "name", ""), name) == 0;
    }
    return taken;
}

static enum err check_tool(const json_t *list, size_t index, const char **field, struct buf *why)
{
    const json_t *tool = json_array_get(list, index);
    const char *name = jx_str(tool, "name"), *inner = NULL;

    snprintf(pointer, sizeof pointer, "/tools/%zu/name", index);
    if (!is_name(name)) {
        return refuse(field, why, "must be 1 to 64 letters, digits, _ and -");
    }
    if (is_taken(list, index, name)) {
        return refuse(field, why, "is the name of another tool");
    }
    snprintf(pointer, sizeof pointer, "/tools/%zu/description", index);
    if (jx_str_or(tool, "description", "")[0] == '\0') {
        return refuse(field, why, "is needed: the model chooses by it");
    }
    snprintf(pointer, sizeof pointer, "/tools/%zu/parameters", index);
    if (!args_schema_ok(jx_obj(tool, "parameters"), why)) {
        *field = pointer;
        return ERR_INVALID;
    }
    enum err rc = api_call_check(jx_obj(tool, "call"), &inner, why);
    snprintf(pointer, sizeof pointer, "/tools/%zu/call%.100s", index, inner != NULL ? inner : "");
    *field = pointer;
    return rc;
}

static enum err check_server(const json_t *list, size_t index, const char **field, struct buf *why)
{
    const json_t *server = json_array_get(list, index);

    snprintf(pointer, sizeof pointer, "/mcp_servers/%zu", index);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(jx_str_or(json_array_get(list, i), "name", ""), jx_str_or(server, "name", "")) == 0) {
            return refuse(field, why, "has the name of another server");
        }
    }
    *field = pointer;
    return mcp_server_ok(server, why) ? ERR_OK : ERR_INVALID;
}

enum err tools_check(const json_t *agent, const char **field, struct buf *why)
{
    const json_t *tools = jx_arr(agent, "tools"), *servers = jx_arr(agent, "mcp_servers");
    enum err rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < json_array_size(tools); i++) {
        rc = check_tool(tools, i, field, why);
    }
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(servers); i++) {
        rc = check_server(servers, i, field, why);
    }
    return rc;
}
