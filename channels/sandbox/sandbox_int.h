/* sandbox_int.h: the sandbox's row in the table of platforms, for channel.c. */
#ifndef CHASQUI_CHANNELS_SANDBOX_SANDBOX_INT_H
#define CHASQUI_CHANNELS_SANDBOX_SANDBOX_INT_H

#include "channels/channel.h"

extern const struct channel_ops sandbox_ops;

#endif
