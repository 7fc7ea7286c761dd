//! A position for people: tables of text, and one HTML file with charts.

mod chart;
pub mod html;
pub mod show;
