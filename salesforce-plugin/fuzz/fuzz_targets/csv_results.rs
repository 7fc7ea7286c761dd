#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| salesforce_plugin::fuzz::csv_results(bytes));
