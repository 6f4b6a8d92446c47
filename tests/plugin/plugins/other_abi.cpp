#include "hand_made.h"

HAND_MADE_PLUGIN(astroclip::plugin::record_magic, astroclip::plugin::api_version, "headers of yesterday")
