/* hours.h: where the room finds opening hours; see agent/common/hours.h. */
#ifndef CHASQUI_AGENT_HOURS_HERE_H
#define CHASQUI_AGENT_HOURS_HERE_H

#include "agent/common/hours.h"

#endif
