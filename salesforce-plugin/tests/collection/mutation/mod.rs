//! The mutation run: every kind of request gets every kind of wrong answer. Either the records are the
//! org's, or the run says that it is not complete; the next run is right, and no schedule is stopped.
//!
//! Known wrong cells are listed in `known_wrong.txt`, one cell of the matrix a line: `mode kind
//! answer`. The list only shrinks.

mod answers;
mod trial;

use std::collections::{BTreeMap, BTreeSet};

use connector_api::message::CollectMode;

use salesforce_sim::RequestKind;
use trial::{Place, Trial, Verdict};

const KNOWN_WRONG: &str = include_str!("known_wrong.txt");

/// Cells by answer and kind: what each place came to.
type Matrix = BTreeMap<(String, &'static str), Vec<Verdict>>;

#[test]
fn a_full_run_is_right_or_honest_whatever_a_request_is_answered() {
    mutate("full", CollectMode::Full, 1_250);
}

#[test]
fn a_run_by_changes_is_right_or_honest_whatever_a_request_is_answered() {
    mutate("changes", CollectMode::Incremental, 650);
}

fn mutate(mode_name: &str, mode: CollectMode, fewest: usize) {
    let mut trial = Trial::new(mode);
    let kinds = trial.kinds();
    let answers = answers::answers();
    let mut matrix = Matrix::new();
    let mut details = Vec::new();
    for answer in &answers {
        for kind in &kinds {
            // What changes an org for good does so before its datasets are read, side by side.
            let early = matches!(kind, RequestKind::Token | RequestKind::Versions);
            if answer.changes_the_org() && !early {
                continue;
            }
            for place in answer.places.iter().copied() {
                let Some(verdict) = trial.verdict(*kind, &answer.action, place) else { continue };
                if verdict == Verdict::NotPlayed && place == Place::Every {
                    break;
                }
                if let Verdict::Wrong(why) = &verdict {
                    details.push(format!(
                        "{mode_name} {} {} {place:?}: {why}",
                        kind.name(),
                        answer.name
                    ));
                }
                matrix.entry((answer.name.clone(), kind.name())).or_default().push(verdict);
            }
        }
    }
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    print(
        mode_name,
        &answers.iter().map(|answer| &*answer.name).collect::<Vec<_>>(),
        &names,
        &matrix,
    );
    let played =
        matrix.values().flatten().filter(|verdict| **verdict != Verdict::NotPlayed).count();
    println!("{played} combinations");
    assert!(played >= fewest, "{played} combinations are too few to prove anything");

    let wrong: BTreeSet<String> = matrix
        .iter()
        .filter(|(_, verdicts)| verdicts.iter().any(is_wrong))
        .map(|((answer, kind), _)| format!("{mode_name} {kind} {answer}"))
        .collect();
    let known: BTreeSet<String> = KNOWN_WRONG
        .lines()
        .filter(|line| line.split(' ').next() == Some(mode_name))
        .map(str::to_owned)
        .collect();
    let new: Vec<&String> = wrong.difference(&known).collect();
    let right: Vec<&String> = known.difference(&wrong).collect();
    details.retain(|line| new.iter().any(|cell| line.starts_with(&format!("{cell} "))));
    assert!(new.is_empty(), "wrong, and not known to be: {new:#?}\n{}", details.join("\n"));
    assert!(
        right.is_empty(),
        "no longer wrong: take these lines out of known_wrong.txt: {right:#?}"
    );
}

fn is_wrong(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Wrong(_))
}

/// One line for each answer, one column for each kind of request: `=` the records were the org's at
/// every place, `h` the run was honest at some, `W` one was wrong, `.` nothing to make wrong.
fn print(mode: &str, answers: &[&str], kinds: &[&str], matrix: &Matrix) {
    println!("{mode:<20} {}", kinds.join(" "));
    for answer in answers {
        let cells = kinds.iter().map(|kind| {
            let none = Vec::new();
            let verdicts = matrix.get(&((*answer).to_owned(), *kind)).unwrap_or(&none);
            let worst = if verdicts.iter().any(is_wrong) {
                "W"
            } else if verdicts.contains(&Verdict::Honest) {
                "h"
            } else if verdicts.contains(&Verdict::Equal) {
                "="
            } else {
                "."
            };
            format!("{worst:<width$}", width = kind.len())
        });
        println!("{answer:<20} {}", cells.collect::<Vec<_>>().join(" "));
    }
}
