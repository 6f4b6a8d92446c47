#pragma once

/// Relations between properties of galaxies, as published. Masses are log10 of the stellar mass in M☉. A relation is
/// NaN where it was not measured, if its source says where. docs/survey.md tells how each was compared.
namespace astroclip::app::published {

/// Galaxies per Mpc³ and dex of stellar mass (Baldry et al. 2012: a double Schechter function).
double mass_function(double log_mass);

/// log10 of the star-formation rate of the main sequence today, at an age of 13.5 Gyr, M☉/yr (Speagle et al. 2014).
double main_sequence(double log_mass);

/// log10 of Z over 0.02: the medians of Gallazzi et al. (2005), table 2, and straight lines in between.
double stellar_metallicity(double log_mass);

/// 12 + log10(O/H) of the gas (Kewley & Ellison 2008, table 2, PP04 O3N2).
double gas_metallicity(double log_mass);

/// The attenuation of starlight at 5500 Å, mag: the median of Hα (Garn & Best 2010, eq. 5), taken to starlight by
/// Calzetti's law (k = 3.33 and 4.05) and 0.44.
double dust(double log_mass);

/// log10 of the half-light radius along the major axis at 5000 Å, kpc, at redshifts up to 0.5 (van der Wel et al. 2014,
/// table 1).
double size(double log_mass, bool quenched);

/// The same by circular apertures in z (Shen et al. 2003, eq. 17 and 18 with the erratum's figure), over the root of
/// the median axis ratio of the survey's discs: 0.6, of quenched galaxies 0.775.
double size_of_apertures(double log_mass, bool quenched);

/// log10 of the velocity dispersion of quiescent galaxies, km/s (Zahid et al. 2016, eq. 5).
double velocity_dispersion(double log_mass);

/// The same of early types by their absolute magnitude in r (Hyde & Bernardi 2009).
double faber_jackson(double magnitude);

}  // namespace astroclip::app::published
