//! What licences cost: prices and contracts as imported, amounts by currency, and what follows for
//! each pool. What is not priced stays a number of seats, never 0.

mod amount;
mod forecast;
mod import;
mod pool;
mod what_if;

pub(crate) use amount::shown;
pub use amount::{Amount, Amounts, Price};
pub use forecast::{Forecast, Point, forecast};
pub use import::{
    ContractLine, PriceBook, PriceLine, classification, contract, leavers, line_at, line_of_record,
    prices,
};
pub(crate) use pool::pool_money;
pub use pool::{PoolMoney, Valuer};
pub use what_if::WhatIf;
