//! The results as text, on the terminal and in the documentation.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use super::{commands::Command, metric::Metric, round::Measured, variant::Variant};

const BEGIN: &str = "<!-- cargo xtask bench --write: begin -->\n";
const END: &str = "<!-- cargo xtask bench --write: end -->";

/// The medians of each variant, beginning with the reference.
pub fn format_table(results: &[(Variant, Measured)]) -> String {
    let names = results.iter().map(|(variant, _)| variant.name().to_owned());
    let mut table = begin_table([String::new()].into_iter().chain(names));
    let reference = results.iter().find(|(variant, _)| *variant == Variant::Reference);
    for metric in Metric::ALL {
        let cell = |(variant, Measured { values, .. }): &(Variant, Measured)| match values.get(&metric) {
            Some(&value) => {
                let reference = reference.filter(|_| *variant != Variant::Reference);
                metric.format(
                    value,
                    reference.and_then(|(_, reference)| reference.values.get(&metric).copied()),
                )
            }
            None => String::new(),
        };
        if results.iter().any(|(_, measured)| measured.values.contains_key(&metric)) {
            table.add_row([metric.label().to_owned()].into_iter().chain(results.iter().map(cell)));
        }
    }
    align(table)
}

/// What each command costs: the CPU of each variant, and what is the same for all of them.
pub fn format_commands(results: &[(Variant, Measured)]) -> String {
    let results: Vec<_> = results.iter().filter(|(_, measured)| !measured.costs.is_empty()).collect();
    let of_first = [Metric::RedisCpu, Metric::Commands, Metric::Bytes, Metric::AckP99];
    let cpu = results.iter().map(|(variant, _)| format!("CPU of all servers, {}, ms", variant.name()));
    let headings = [String::from("command")].into_iter().chain(cpu);
    let mut table = begin_table(headings.chain(of_first.map(|metric| metric.label().to_owned())));
    for command in Command::ALL {
        let cell = |measured: &Measured, metric: Metric| {
            let value = measured.costs.get(&command).and_then(|values| values.get(&metric));
            value.map_or_else(String::new, |value| metric.format_alone(*value))
        };
        let cpu = results.iter().map(|(_, measured)| cell(measured, Metric::ServerCpu));
        let first = results.first().into_iter();
        let rest = first.flat_map(|(_, measured)| of_first.map(|metric| cell(measured, metric)));
        table.add_row([format!("`{}`", command.event())].into_iter().chain(cpu).chain(rest));
    }
    align(table)
}

fn begin_table(headings: impl Iterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(headings);
    table
}

fn align(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Describes this machine in one line, with what it does besides.
pub fn describe_machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "an unknown CPU".to_owned());
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or_else(String::new, |kib| format!(", {} GiB", kib.div_ceil(1024 * 1024)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {cores} cores{memory}, load average {load} before")
}

/// Writes a section between the markers of a file.
pub fn write(file: &Path, section: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = replace_section(&text, section)
        .with_context(|| format!("{} has no markers for the figures", file.display()))?;
    Ok(fs::write(file, text)?)
}

fn replace_section(text: &str, section: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n\n{END}{after}", section.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::{commands::Costs, metric::Values},
        harness::AppPlace,
    };

    #[test]
    fn the_table_compares_with_the_reference_and_leaves_out_what_nobody_has() {
        let measured = |cpu| {
            let values = Values::from([(Metric::ServerCpu, cpu), (Metric::Idle, 50.0)]);
            Measured { values, costs: Costs::new() }
        };
        let mut rollcall = measured(0.25);
        rollcall.values.insert(Metric::WebSocketSocket, 8.0);
        let rollcall = (Variant::Rollcall(AppPlace::InBridge), rollcall);
        let table = format_table(&[(Variant::Reference, measured(1.0)), rollcall]);
        let rows: Vec<Vec<&str>> =
            table.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(rows[0][2..4], ["Socket.IO + BullMQ", "Rollcall in process"]);
        assert_eq!(rows[2][2..4], ["1.000", "0.250 (4.0×)"]);
        assert_eq!(rows[3][2..4], ["50", "50 (1.0×)"]);
        assert_eq!(rows[4][2..4], ["", "8.0"]);
        assert_eq!(rows.len(), 5);
    }

    #[test]
    fn each_command_has_a_row_and_services_without_commands_no_column() {
        let costs = |cpu| {
            let values = Values::from([(Metric::ServerCpu, cpu), (Metric::Bytes, 900.0)]);
            Measured { values: Values::new(), costs: Costs::from([(Command::Status, values)]) }
        };
        let table = format_commands(&[
            (Variant::Reference, Measured::default()),
            (Variant::Rollcall(AppPlace::InBridge), costs(0.25)),
            (Variant::Rollcall(AppPlace::OwnProcess), costs(0.5)),
        ]);
        let rows: Vec<Vec<&str>> =
            table.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(rows.len(), 2 + Command::ALL.len());
        assert_eq!(rows[3][1..7], ["`member:update`", "0.250", "0.500", "", "", "900"]);
    }

    #[test]
    fn only_the_section_between_the_markers_changes() {
        let text = format!("# Title\n\n{BEGIN}old\n{END}\n\nRest\n");
        let once = replace_section(&text, "new\n").unwrap();
        assert_eq!(once, format!("# Title\n\n{BEGIN}\nnew\n\n{END}\n\nRest\n"));
        assert_eq!(replace_section(&once, "new").unwrap(), once);
        assert_eq!(replace_section("# Title", "new"), None);
    }
}
