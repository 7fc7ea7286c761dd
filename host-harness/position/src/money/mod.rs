//! What licences cost: prices and contracts as imported, amounts by currency, and what follows for
//! each pool. What is not priced stays a number of seats, never 0.

mod import;
mod pool;
mod what_if;

pub use import::{classification, contract, leavers, line_at, line_of_record, prices};
pub use pool::Valuer;
pub(crate) use pool::pool_money;
pub use what_if::WhatIf;

pub(crate) use crate::model::shown_amount as shown;
pub use crate::model::{
    Amount, Amounts, ContractLine, Forecast, Point, PoolMoney, Price, PriceBook, PriceLine,
    forecast,
};
