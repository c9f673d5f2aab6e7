/* flows.h: flows from files into the agent, for commands that bring some along. */
#ifndef CHASQUI_CLI_FLOWS_H
#define CHASQUI_CLI_FLOWS_H

#include "bridge/cli/cli.h"

/* The flow of a file ("-": stdin), new reference. NULL: said why. */
json_t *flows_read(const char *path);
/* Replaces the agent's flow of that name, or makes one. *answer: the stored flow (new reference), also on failure;
 * *replaced: there was one. Both may be NULL. */
enum cli_exit flows_store(struct cli *cli, const json_t *flow, json_t **answer, bool *replaced);

#endif
