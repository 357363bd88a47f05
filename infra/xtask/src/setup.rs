//! Installs what the commands need into the checkout: Python environments, Node.js packages, ffmpeg. Quick when it is there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::workspace::{Workspace, on_path};
use crate::{process, ui};

/// What is installed.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Python with the emulator and the AWS client library.
    pub python: PathBuf,
}

/// What only a running stack needs.
#[derive(Clone, Debug)]
pub struct StackTools {
    /// Python, as in [`Tools`].
    pub python: PathBuf,
    /// Node.js.
    pub node: PathBuf,
    /// The receivers' own programs, with their packages.
    pub verify: PathBuf,
    /// ffmpeg.
    pub ffmpeg: PathBuf,
    /// The fonts of videos.
    pub fonts: PathBuf,
}

/// What only the template's checks need.
#[derive(Clone, Debug)]
pub struct LintTools {
    /// Python with cfn-lint and the SAM command line.
    pub python: PathBuf,
    /// Lambda's Runtime Interface Emulator.
    pub emulator: PathBuf,
}

/// One command at a time installs, or packages functions; the lock goes when the file is closed.
pub fn lock(workspace: &Workspace) -> anyhow::Result<File> {
    fs::create_dir_all(workspace.local()).context("make .local")?;
    let file = File::create(workspace.local().join("lock")).context("open .local/lock")?;
    file.lock().context("wait for another cargo xtask")?;
    Ok(file)
}

/// Python with the emulator and the AWS client library.
pub fn python(workspace: &Workspace) -> anyhow::Result<Tools> {
    let _lock = lock(workspace)?;
    let requirements = ["infra/local/requirements.txt", "infra/verify/requirements.txt"];
    let python = environment(workspace, "venv", &requirements, "Python packages (once, about half a minute)")?;
    Ok(Tools { python })
}

/// What a running stack needs.
pub fn stack(workspace: &Workspace) -> anyhow::Result<StackTools> {
    let Tools { python } = python(workspace)?;
    let _lock = lock(workspace)?;
    let (node, verify) = verifiers(workspace)?;
    let ffmpeg = ffmpeg(workspace)?;
    let fonts = fonts(workspace)?;
    Ok(StackTools { python, node, verify, ffmpeg, fonts })
}

/// What the template's checks need.
pub fn lint(workspace: &Workspace) -> anyhow::Result<LintTools> {
    let _lock = lock(workspace)?;
    let requirements = ["infra/local/requirements-lint.txt"];
    let python = environment(workspace, "venv-lint", &requirements, "template checkers (once, about half a minute)")?;
    let architecture = std::env::consts::ARCH.replace("aarch64", "arm64");
    let emulator = inside_packages(&python, &format!("samcli/local/rapid/aws-lambda-rie-{architecture}"))?;
    Ok(LintTools { python, emulator })
}

/// The interpreter of a virtual environment with these requirements installed.
fn environment(workspace: &Workspace, name: &str, requirements: &[&str], what: &str) -> anyhow::Result<PathBuf> {
    let directory = workspace.local().join(name);
    let python = directory.join("bin/python");
    let wanted = read_all(workspace, requirements)?;
    // What was installed is written down last: an installation that was broken off is begun anew.
    let stamp = directory.join("installed.txt");
    let installed = fs::read_to_string(&stamp).ok();
    if installed.as_ref() == Some(&wanted) && python.exists() {
        return Ok(python);
    }
    let Some(system) = on_path("python3") else {
        bail!(
            "Python is missing: install python3 (3.10 or later) and python3-venv, for example `apt-get install python3 python3-venv`"
        );
    };
    let can_install =
        quiet(Command::new(&system).args(["-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)"]))?;
    anyhow::ensure!(
        can_install,
        "Python 3.10 or later with its venv module is missing: for example `apt-get install python3-venv`"
    );
    ui::step(&format!("Installing {what}"), || {
        if installed.is_none() || !python.exists() {
            let mut make = workspace.command(&system);
            process::run(make.args(["-m", "venv", "--clear"]).arg(&directory), "making a virtual environment")?;
        }
        let mut install = workspace.command(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        install.args(["-r", requirements[0]]);
        process::run(&mut install, "installing Python packages")?;
        fs::write(&stamp, &wanted).context("note what was installed")
    })?;
    Ok(python)
}

/// Node.js and the directory of the receivers' programs: copies, so that packages stay out of the source tree.
fn verifiers(workspace: &Workspace) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (Some(node), Some(npm)) = (on_path("node"), on_path("npm")) else {
        bail!("Node.js is missing: install nodejs (20 or later) and npm, for example `apt-get install nodejs npm`");
    };
    let new_enough = "process.exit(Number(process.versions.node.split('.')[0]) >= 20 ? 0 : 1)";
    anyhow::ensure!(
        quiet(Command::new(&node).args(["-e", new_enough]))?,
        "Node.js is older than 20: install a newer one (Debian 12's own is 18; its successor's is 20)"
    );
    let source = workspace.root.join("infra/verify");
    let directory = workspace.local().join("verify");
    fs::create_dir_all(&directory).context("make .local/verify")?;
    for name in ["package.json", "package-lock.json", "verify.mjs", "verify.py", "creatomate.mjs"] {
        fs::copy(source.join(name), directory.join(name)).with_context(|| format!("copy infra/verify/{name}"))?;
    }
    let wanted = read_all(workspace, &["infra/verify/package.json", "infra/verify/package-lock.json"])?;
    let stamp = directory.join("installed.txt");
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        ui::step("Installing Node.js packages (once)", || {
            let mut install = workspace.command(npm);
            install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&directory);
            process::run(install.stdout(Stdio::null()), "installing Node.js packages")?;
            fs::write(&stamp, &wanted).context("note what was installed")
        })?;
    }
    Ok((node, directory))
}

/// The fonts of videos; the script does nothing where they are there.
fn fonts(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let directory = workspace.local().join("fonts");
    let mut install = workspace.command(workspace.root.join("infra/fonts.sh"));
    install.arg(&directory).stdout(Stdio::null());
    if directory.exists() {
        process::run(&mut install, "looking at the fonts")?;
    } else {
        ui::step("Installing fonts for videos (once, about half a minute)", || {
            process::run(&mut install, "installing fonts")
        })?;
    }
    Ok(directory)
}

/// ffmpeg: the one on PATH, else the one inside a Python package.
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
        .context("there is no ffmpeg for this machine in PyPI's imageio-ffmpeg: install ffmpeg, for example `apt-get install ffmpeg`")
}

/// A path inside the packages of a virtual environment.
fn inside_packages(python: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let environment = python.parent().and_then(Path::parent).context("find the virtual environment")?;
    let versions = fs::read_dir(environment.join("lib")).context("list the virtual environment")?.flatten();
    let mut found = versions.map(|version| version.path().join("site-packages").join(name));
    found.find(|path| path.exists()).with_context(|| {
        format!("{} is missing in {}: delete that directory and try again", name, environment.display())
    })
}

fn read_all(workspace: &Workspace, names: &[&str]) -> anyhow::Result<String> {
    let mut all = String::new();
    for name in names {
        all += &fs::read_to_string(workspace.root.join(name)).with_context(|| format!("read {name}"))?;
    }
    Ok(all)
}

fn quiet(command: &mut Command) -> anyhow::Result<bool> {
    Ok(process::status(command.stdout(Stdio::null()).stderr(Stdio::null()))?.success())
}
