//! A parsed query, as written: names are not looked up yet.

/// Position in the query text, in bytes.
pub(crate) type Position = usize;

/// A name as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) at: Position,
}

/// A dotted path such as `Profile.UserLicense.Name`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) parts: Vec<String>,
    pub(crate) at: Position,
}

/// A query or sub-query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) select: Vec<SelectItem>,
    pub(crate) from: Name,
    pub(crate) alias: Option<String>,
    pub(crate) condition: Option<Condition>,
    pub(crate) group_by: Vec<Expression>,
    pub(crate) having: Option<Condition>,
    pub(crate) order_by: Vec<Order>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) all_rows: bool,
}

/// One thing selected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SelectItem {
    /// `COUNT()`.
    CountRows,
    /// A field or an aggregate, with its alias.
    Expression(Expression, Option<String>),
    /// `FIELDS(...)`.
    Fields(FieldsKind, Position),
    /// `(SELECT ... FROM children)`.
    Children(Box<Query>),
}

/// What `FIELDS()` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldsKind {
    /// Every field.
    All,
    /// Standard fields.
    Standard,
    /// Custom fields.
    Custom,
}

/// A field, a part of a date, or an aggregate over a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    pub(crate) function: Option<Function>,
    pub(crate) path: Path,
    pub(crate) at: Position,
}

/// A function of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    /// `COUNT(field)`.
    Count,
    /// `COUNT_DISTINCT(field)`.
    CountDistinct,
    /// `MIN(field)`.
    Min,
    /// `MAX(field)`.
    Max,
    /// `SUM(field)`.
    Sum,
    /// `AVG(field)`.
    Avg,
    /// A part of a date.
    Date(DatePart),
    /// `toLabel(field)` and `FORMAT(field)`: labels equal values here.
    Label,
}

/// A part of a date, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DatePart {
    /// `CALENDAR_YEAR`.
    Year,
    /// `CALENDAR_QUARTER`.
    Quarter,
    /// `CALENDAR_MONTH`.
    Month,
    /// `DAY_IN_MONTH`.
    DayInMonth,
    /// `DAY_IN_WEEK`, Sunday is 1.
    DayInWeek,
    /// `DAY_IN_YEAR`.
    DayInYear,
    /// `HOUR_IN_DAY`.
    Hour,
    /// `DAY_ONLY`: the date.
    Day,
}

impl Function {
    /// Whether it makes one value of many rows.
    pub(crate) fn is_aggregate(self) -> bool {
        !matches!(self, Function::Date(_) | Function::Label)
    }
}

/// A condition of WHERE or HAVING.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        left: Expression,
        operator: Operator,
        value: Literal,
        operator_at: Position,
    },
    In {
        left: Expression,
        negated: bool,
        set: Set,
        operator_at: Position,
    },
    /// `INCLUDES` or, negated, `EXCLUDES`.
    Includes {
        left: Expression,
        negated: bool,
        values: Vec<Literal>,
        operator_at: Position,
    },
}

/// What `IN` looks in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Set {
    List(Vec<Literal>),
    Query(Box<Query>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

/// A literal of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// Days since 1970-01-01.
    Date(i64),
    /// Milliseconds since 1970.
    Instant(i64),
    /// `TODAY`, `LAST_N_DAYS:30`: a name and its number.
    Named(String, Option<i64>),
}

/// One part of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) expression: Expression,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}
