//! The examples of databases and of a cluster: every program parses, README's commands are those of the programs, and the one database that
//! is a library runs. With all of them: `scripts/databases.sh` and `scripts/spark.sh`. What is not installed is skipped by name.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{has, library, repository, run};
use std::process::Command;

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");
const FOLDERS: [&str; 3] = ["examples/databases", "examples/spark", "ffi-tests/scripts/spark"];
const READMES: [&str; 3] = ["README.md", "examples/databases/README.md", "examples/spark/README.md"];

fn programs() -> Vec<String> {
    let files = |folder: &&str| {
        std::fs::read_dir(repository().join(folder)).expect("the folder").map(|entry| entry.expect("a file").path())
    };
    let mut all: Vec<_> = FOLDERS.iter().flat_map(files).filter(|path| path.extension().is_some_and(|end| end == "py")).collect();
    all.sort();
    all.iter().map(|path| path.to_str().expect("a path").to_owned()).collect()
}

#[test]
fn programs_parse() {
    let scripts = ["databases.sh", "spark.sh", "readme.sh"].map(|name| repository().join("ffi-tests/scripts").join(name));
    for script in &scripts {
        run(Command::new("sh").arg("-n").arg(script));
    }
    if !has("python3", "--version") {
        return;
    }
    let programs = programs();
    assert!(programs.len() >= 7, "{programs:?}");
    // (py_compile would write beside them.)
    let parse = "import sys\nfor path in sys.argv[1:]: compile(open(path, encoding='utf-8').read(), path, 'exec')";
    run(Command::new("python3").args(["-W", "error", "-c", parse]).args(&programs));
}

/// The blocks of commands that run these programs.
fn commands(readme: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join(readme)).expect("the file");
    let blocks = text.split("\n```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n").map(str::to_owned));
    blocks.filter(|block| block.contains("examples/databases/") || block.contains("examples/spark/")).collect()
}

/// Files and options of the commands exist. (The scripts run the blocks as they are.)
#[test]
fn commands_of_the_readmes() {
    let job = std::fs::read_to_string(repository().join("examples/spark/bias_job.py")).expect("the job");
    let mut files = 0;
    for readme in READMES {
        let blocks = commands(readme);
        assert!(!blocks.is_empty(), "{readme}");
        for block in blocks {
            run(Command::new("sh").args(["-nc", &block]));
            for word in block.split_whitespace() {
                let file = word.strip_prefix("libnnn/").unwrap_or(word);
                if file.starts_with("examples/") {
                    assert!(repository().join(file).exists(), "{readme}: {word}");
                    files += 1;
                }
                if block.contains("spark-submit") && word.starts_with("--") && word != "--master" {
                    assert!(job.contains(&format!("\"{word}\"")), "{readme}: {word}");
                }
            }
        }
    }
    assert!(files >= 9, "{files} files are named");
}

/// The SQL that is shown is the SQL that is run.
#[test]
fn sql_of_the_readme() {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let between = |text: &str, start: &str, end: &str| {
        let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start}"));
        line(rest.split_once(end).expect("its end").0)
    };
    let program = std::fs::read_to_string(repository().join("examples/databases/on_postgres.py")).expect("the program");
    let readme = std::fs::read_to_string(repository().join("examples/databases/README.md")).expect("the file");
    let shown = between(&readme, "```sql\n", "```").replace("$1", "%s::vector").replace("LIMIT 1000", "LIMIT %s");
    let shortlist = between(&program, "SHORTLIST = \"", "\"\n");
    let rerank = between(&program, "RERANK = f\"\"\"", "\"\"\"").replace("{SHORTLIST}", &shortlist).replace("{TOP}", "10");
    assert!(shown.contains(&rerank), "{rerank}\n{shown}");
    let update = between(&program, "\"UPDATE", ";");
    assert!(shown.contains(&format!("UPDATE {update};")), "{update}");
    let exported =
        between(&program, "sql = f\"", "\"\n").replace("{name}", "debiased").replace("{operator}", "<#>").replace("{TOP}", "10");
    assert!(shown.contains(&exported), "{exported}");
}

#[test]
fn sqlite() {
    let probe = "import numpy, sqlite_vec";
    let found = has("python3", "--version")
        && Command::new("python3").args(["-c", probe]).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: python3 has no sqlite-vec (pip install numpy sqlite-vec)");
        return;
    }
    let mut program = Command::new("python3");
    program.args(["-B", "examples/databases/on_sqlite.py", "--queries", "60"]).current_dir(repository());
    let printed = run(program.env("NNN_LIBRARY", &library(FOLDER).shared));
    for line in [
        "exported vectors, L2",
        "plain vectors, best 1000 reranked by SQL",
        "plain vectors, certified reranking",
        "the same SQL after",
    ] {
        let found = printed.lines().find(|text| text.starts_with(line)).unwrap_or_else(|| panic!("no {line}: {printed}"));
        let recall = found.split_whitespace().find_map(|word| word.parse().ok().filter(|number| (0.0..=1.0).contains(number)));
        assert!(recall.is_some_and(|recall: f64| recall >= 0.99), "{found}");
    }
}

/// A program whose lines fall short says so by its status.
#[test]
fn a_recall_that_is_too_low_is_an_error() {
    let found = has("python3", "--version")
        && Command::new("python3").args(["-c", "import numpy"]).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: python3 has no numpy");
        return;
    }
    let program = "from debias import Problem, arguments, nnn\n\
                   problem = Problem(arguments('').parse_args(['--queries', '20']))\n\
                   problem.show('plain', nnn.search(problem.queries, problem.gallery, k=10).ids, None)\n\
                   problem.finish()";
    let mut python = Command::new("python3");
    python.args(["-B", "-c", program]).current_dir(repository().join("examples/databases"));
    let output = python.env("NNN_LIBRARY", &library(FOLDER).shared).output().expect("start python3");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("FAILED plain: recall@10"), "{text}");
}
