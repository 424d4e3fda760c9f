#define PACKET_RING_MAPPED
#include "packet_ring.c"
