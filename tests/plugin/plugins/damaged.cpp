#include "hand_made.h"

HAND_MADE_PLUGIN(42, astroclip::plugin::api_version, nullptr)
