//! Installs the tools of the commands into the checkout: Python environments, Node.js packages, ffmpeg, fonts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::workspace::{Workspace, on_path};
use crate::{process, ui};

/// Tools that most commands need.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Python with the emulator and the AWS client library.
    pub python: PathBuf,
}

/// Tools that a running stack needs.
#[derive(Clone, Debug)]
pub struct StackTools {
    /// Python with the emulator and the AWS client library, as in [`Tools`].
    pub python: PathBuf,
    /// Node.js.
    pub node: PathBuf,
    /// Directory of the programs that verify webhooks as receivers do, with their packages.
    pub verify: PathBuf,
    /// ffmpeg.
    pub ffmpeg: PathBuf,
    /// Directory of the fonts for videos.
    pub fonts: PathBuf,
}

/// Tools that the checks of the template need.
#[derive(Clone, Debug)]
pub struct LintTools {
    /// Python with cfn-lint and the SAM CLI.
    pub python: PathBuf,
    /// Lambda's Runtime Interface Emulator.
    pub emulator: PathBuf,
}

/// Engines that answer requests to DynamoDB besides the emulator.
#[derive(Clone, Debug)]
pub struct EngineTools {
    /// The emulator's program, without mends.
    pub ministack: PathBuf,
    /// The program of moto.
    pub moto: PathBuf,
    /// The program of dynalite.
    pub dynalite: PathBuf,
}

/// Locks installing and deploying, so that one command does it at a time; closing the file releases the lock.
pub fn lock(workspace: &Workspace) -> anyhow::Result<File> {
    fs::create_dir_all(workspace.local()).context("create .local")?;
    let file = File::create(workspace.local().join("lock")).context("open .local/lock")?;
    file.lock().context("wait for another cargo xtask")?;
    Ok(file)
}

/// Installs Python with the emulator and the AWS client library.
pub fn python(workspace: &Workspace) -> anyhow::Result<Tools> {
    let _lock = lock(workspace)?;
    let requirements = "infra/local/requirements.txt";
    let python = environment(workspace, "venv", requirements, "Python packages (once, about half a minute)")?;
    Ok(Tools { python })
}

/// Installs the tools that a running stack needs.
pub fn stack(workspace: &Workspace) -> anyhow::Result<StackTools> {
    let Tools { python } = python(workspace)?;
    let _lock = lock(workspace)?;
    let (node, verify) = verifiers(workspace)?;
    let ffmpeg = ffmpeg(workspace)?;
    let fonts = fonts(workspace)?;
    Ok(StackTools { python, node, verify, ffmpeg, fonts })
}

/// Installs the packages of infra/browser in place, where its programs find them; returns npm and the directory.
pub fn browser(workspace: &Workspace) -> anyhow::Result<(PathBuf, PathBuf)> {
    let _lock = lock(workspace)?;
    let (_, npm) = node()?;
    let directory = workspace.root.join("infra/browser");
    node_packages(workspace, &npm, &directory)?;
    Ok((npm, directory))
}

/// Installs what makes clients of the API's description: packages of Node.js in infra/clients, and an environment of Python.
pub fn clients(workspace: &Workspace) -> anyhow::Result<()> {
    let _lock = lock(workspace)?;
    let (_, npm) = node()?;
    node_packages(workspace, &npm, &workspace.root.join("infra/clients"))?;
    let requirements = "infra/clients/requirements.txt";
    environment(workspace, "venv-clients", requirements, "generators of clients (once, about ten seconds)")?;
    Ok(())
}

/// Installs the tools that the checks of the template need.
pub fn lint(workspace: &Workspace) -> anyhow::Result<LintTools> {
    let _lock = lock(workspace)?;
    let requirements = "infra/local/requirements-lint.txt";
    let python = environment(workspace, "venv-lint", requirements, "template checkers (once, about half a minute)")?;
    let architecture = std::env::consts::ARCH.replace("aarch64", "arm64");
    let emulator = inside_packages(&python, &format!("samcli/local/rapid/aws-lambda-rie-{architecture}"))?;
    Ok(LintTools { python, emulator })
}

/// Installs the engines that answer DynamoDB's requests; packages of Node.js are copies, as in [`verifiers`].
pub fn engines(workspace: &Workspace) -> anyhow::Result<EngineTools> {
    let Tools { python } = python(workspace)?;
    let _lock = lock(workspace)?;
    let requirements = "infra/engines/requirements.txt";
    let moto = environment(workspace, "venv-engines", requirements, "moto (once, about twenty seconds)")?;
    let (_, npm) = node()?;
    let directory = workspace.local().join("dynalite");
    copies(workspace, "infra/engines", &["package.json", "package-lock.json"], &directory)?;
    node_packages(workspace, &npm, &directory)?;
    Ok(EngineTools {
        ministack: python.with_file_name("ministack"),
        moto: moto.with_file_name("moto_server"),
        dynalite: directory.join("node_modules/.bin/dynalite"),
    })
}

/// Installs cargo-deny, and returns its program.
pub fn deny(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let _lock = lock(workspace)?;
    let requirements = "infra/local/requirements-supply.txt";
    Ok(environment(workspace, "venv-supply", requirements, "cargo-deny (once)")?.with_file_name("cargo-deny"))
}

/// Builds cargo-mutants, and returns its program.
pub fn mutants(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    const VERSION: &str = "26.2.0";
    let _lock = lock(workspace)?;
    let directory = workspace.local().join("cargo-mutants").join(VERSION);
    let program = directory.join("bin/cargo-mutants");
    if !program.exists() {
        ui::step("Building cargo-mutants (once, some minutes)", || {
            let mut install = workspace.cargo();
            install.args(["install", "--quiet", "--locked", "--version", VERSION, "--root"]).arg(&directory);
            // Elsewhere than the functions, whose artifacts have other features.
            install.env("CARGO_TARGET_DIR", workspace.local().join("cargo-mutants/target"));
            process::run(install.arg("cargo-mutants"), "cargo install cargo-mutants")
        })?;
    }
    Ok(program)
}

/// Creates a virtual environment with exactly these packages, each with its hash, and returns its interpreter.
fn environment(workspace: &Workspace, name: &str, requirements: &str, what: &str) -> anyhow::Result<PathBuf> {
    let directory = workspace.local().join(name);
    let python = directory.join("bin/python");
    let wanted =
        fs::read_to_string(workspace.root.join(requirements)).with_context(|| format!("read {requirements}"))?;
    // The stamp is written last, so an interrupted installation starts again.
    let stamp = directory.join("installed.txt");
    let installed = fs::read_to_string(&stamp).ok();
    if installed.as_ref() == Some(&wanted) && python.exists() {
        return Ok(python);
    }
    let Some(system) = on_path("python3") else {
        bail!("python3 is missing: install Python 3.10 or later with venv (`apt-get install python3 python3-venv`)");
    };
    let can_install =
        quiet(Command::new(&system).args(["-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)"]))?;
    anyhow::ensure!(
        can_install,
        "python3 is older than 3.10 or lacks its venv module: install both (`apt-get install python3-venv`)"
    );
    ui::step(&format!("Installing {what}"), || {
        if installed.is_none() || !python.exists() {
            let mut make = workspace.command(&system);
            process::run(make.args(["-m", "venv", "--clear"]).arg(&directory), "python3 -m venv")?;
        }
        let mut install = workspace.command(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        // The list is complete, so nothing is resolved; a wheel runs no code of its own when it is installed.
        install.args(["--no-deps", "--require-hashes", "--only-binary=:all:", "-r", requirements]);
        process::run(&mut install, "pip install")?;
        fs::write(&stamp, &wanted).context("write installed.txt")
    })?;
    Ok(python)
}

/// Node.js and npm.
fn node() -> anyhow::Result<(PathBuf, PathBuf)> {
    let (Some(node), Some(npm)) = (on_path("node"), on_path("npm")) else {
        bail!("node or npm is missing: install Node.js 20 or later with npm, for example `apt-get install nodejs npm`");
    };
    let new_enough = "process.exit(Number(process.versions.node.split('.')[0]) >= 20 ? 0 : 1)";
    anyhow::ensure!(
        quiet(Command::new(&node).args(["-e", new_enough]))?,
        "node is older than 20: install Node.js 20 or later (Debian 13 has 20; Debian 12 has 18)"
    );
    Ok((node, npm))
}

/// Installs the verifying programs as copies, so that packages stay out of the source tree; returns Node.js and them.
fn verifiers(workspace: &Workspace) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (node, npm) = node()?;
    let directory = workspace.local().join("verify");
    let names = ["package.json", "package-lock.json", "verify.mjs", "verify.py", "creatomate.mjs"];
    copies(workspace, "infra/verify", &names, &directory)?;
    node_packages(workspace, &npm, &directory)?;
    Ok((node, directory))
}

/// Copies files of the checkout into a directory.
fn copies(workspace: &Workspace, from: &str, names: &[&str], directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    for name in names {
        let source = workspace.root.join(from).join(name);
        fs::copy(source, directory.join(name)).with_context(|| format!("copy {from}/{name}"))?;
    }
    Ok(())
}

/// Installs the packages that the package.json and package-lock.json of this directory name, unless they are there.
fn node_packages(workspace: &Workspace, npm: &Path, directory: &Path) -> anyhow::Result<()> {
    let mut wanted = String::new();
    for name in ["package.json", "package-lock.json"] {
        let path = directory.join(name);
        wanted += &fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    }
    // npm deletes the directory of the stamp first, so an interrupted installation starts again.
    let stamp = directory.join("node_modules/installed.txt");
    if fs::read_to_string(&stamp).ok().as_ref() == Some(&wanted) {
        return Ok(());
    }
    ui::step("Installing Node.js packages (once)", || {
        let mut install = workspace.command(npm);
        install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(directory);
        process::run(install.stdout(Stdio::null()), "npm ci")?;
        fs::write(&stamp, &wanted).context("write installed.txt")
    })
}

/// Installs the fonts for videos; the script does nothing if they are complete.
fn fonts(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let directory = workspace.local().join("fonts");
    let mut install = workspace.command(workspace.root.join("infra/fonts.sh"));
    install.arg(&directory).stdout(Stdio::null());
    if directory.exists() {
        process::run(&mut install, "infra/fonts.sh")?;
    } else {
        ui::step("Installing fonts for videos (once, about half a minute)", || {
            process::run(&mut install, "infra/fonts.sh")
        })?;
    }
    Ok(directory)
}

/// The ffmpeg on PATH, else the one inside a Python package.
fn ffmpeg(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(path) = on_path("ffmpeg") {
        return Ok(path);
    }
    let python = workspace.local().join("venv/bin/python");
    let binaries = inside_packages(&python, "imageio_ffmpeg/binaries")?;
    let found = fs::read_dir(&binaries).into_iter().flatten().flatten().map(|entry| entry.path());
    found
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-")))
        .context(
            "imageio-ffmpeg contains no ffmpeg for this machine: install ffmpeg, for example `apt-get install ffmpeg`",
        )
}

/// A path inside the packages of a virtual environment.
fn inside_packages(python: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let environment = python.parent().and_then(Path::parent).context("find the virtual environment")?;
    let versions = fs::read_dir(environment.join("lib")).context("list the virtual environment")?.flatten();
    let mut found = versions.map(|version| version.path().join("site-packages").join(name));
    found
        .find(|path| path.exists())
        .with_context(|| format!("{name} is missing in {0}: delete {0} and try again", environment.display()))
}

fn quiet(command: &mut Command) -> anyhow::Result<bool> {
    Ok(process::status(command.stdout(Stdio::null()).stderr(Stdio::null()))?.success())
}
