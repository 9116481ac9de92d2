#include "base/circle_a.h"
