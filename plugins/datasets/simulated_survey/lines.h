#pragma once

#include <array>
#include <span>

#include "galaxy.h"

namespace astroclip::simulation {

struct EmissionLine {
  const char* name;
  double wavelength;  ///< in vacuum, Å
};
/// The lines of ionised gas, at their vacuum wavelengths (NIST).
inline constexpr std::array<EmissionLine, 15> emission_lines = {{{"[OII]", 3727.09},
                                                                 {"[OII]", 3729.88},
                                                                 {"[NeIII]", 3869.86},
                                                                 {"Hδ", 4102.89},
                                                                 {"Hγ", 4341.68},
                                                                 {"Hβ", 4862.68},
                                                                 {"[OIII]", 4960.30},
                                                                 {"[OIII]", 5008.24},
                                                                 {"HeI", 5877.25},
                                                                 {"[OI]", 6302.05},
                                                                 {"[NII]", 6549.85},
                                                                 {"Hα", 6564.61},
                                                                 {"[NII]", 6585.27},
                                                                 {"[SII]", 6718.29},
                                                                 {"[SII]", 6732.67}}};
using LineLuminosities = std::array<double, emission_lines.size()>;

/// Before dust, erg/s. Hα of the rate of the last 10 Myr (Kennicutt & Evans 2012), case B at 10^4 K (Osterbrock &
/// Ferland 2006), [OII]/Hα by metallicity (Kewley, Geller & Jansen 2004, eq. 10), [NII]/Hα and [OIII]/Hβ from the
/// indices N2 and O3N2 of that metallicity (Pettini & Pagel 2004).
LineLuminosities star_forming_lines(double rate, double oxygen);
/// Of a narrow-line nucleus with this luminosity of [OIII] 5008, by typical Seyfert ratios (Ho 2008).
LineLuminosities nuclear_lines(double oxygen_luminosity);

/// Adds the lines, behind 1/0.44 of the stars' dust, to a spectrum on the model's grid, 1e-17 erg/s/cm²/Å.
void add_lines(const Galaxy& galaxy, std::span<float> flux);

}  // namespace astroclip::simulation
