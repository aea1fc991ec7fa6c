"""Fresh events: Pythia 8, a parametric response of a CMS-like detector, the layout of ADC2021."""
