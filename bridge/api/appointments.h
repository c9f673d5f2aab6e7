/* appointments.h: how an appointment leaves the house. Thread: the request's loop. */
#ifndef CHASQUI_API_APPOINTMENTS_H
#define CHASQUI_API_APPOINTMENTS_H

#include "bridge/api/call.h"

/* The record with the address of its invitation. New reference. */
json_t *appointment_public(struct call *c, const json_t *appointment);

#endif
