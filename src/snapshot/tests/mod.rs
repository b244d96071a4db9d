//! Whole configurations: those that load, those that don't, large ones, replaced ones.

mod cases;
mod estate;
mod reload;
mod scale;
mod secure;
