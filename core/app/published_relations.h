#pragma once

/// Relations between properties of galaxies, as published. Masses are log10 of the stellar mass in M☉. docs/survey.md
/// tells how each was compared.
namespace astroclip::app::published {

/// Galaxies per Mpc³ and dex of stellar mass (Baldry et al. 2012: a double Schechter function).
double mass_function(double log_mass);

/// log10 of the star-formation rate of the main sequence today, at an age of 13.5 Gyr, M☉/yr (Speagle et al. 2014).
double main_sequence(double log_mass);

/// log10 of Z over 0.02: the medians of Gallazzi et al. (2005), table 2, and straight lines in between.
double stellar_metallicity(double log_mass);

/// The attenuation of starlight at 5500 Å, mag: the median of Hα (Garn & Best 2010, eq. 5), taken to starlight by
/// Calzetti's law (k = 3.33 and 4.05) and 0.44.
double dust(double log_mass);

}  // namespace astroclip::app::published
