"""What an agent may do where it asks: rules in their order, and no way round one by asking differently."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeve.attempt.permissions import NO_RULE, STRICTEST, answer
from reeve.attempt.shell import Unreadable, simple_commands
from reeve.records import Answer, Rule

ALLOW, REJECT, ASK = Answer.ALLOW, Answer.REJECT, Answer.ASK
NO_PUSH = Rule(REJECT, command="git push*")

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def run(command, *rules):
    return answer(rules, "execute", (), command)[0]


def touch(path, *rules, action="edit"):
    return answer(rules, action, (path,), "")[0]


# ---------------------------------------------------------------- order


def test_without_a_rule_that_fits_the_walls_hold():
    assert answer((), "execute", (), "git push") == (ALLOW, NO_RULE)
    assert answer((NO_PUSH,), "execute", (), "ls") == (ALLOW, NO_RULE)
    assert answer((NO_PUSH,), "edit", ("src/a.py",), "") == (ALLOW, NO_RULE)


def test_the_first_rule_that_fits_answers_and_is_named():
    rules = (Rule(ALLOW, "execute", command="git push --dry-run*"), NO_PUSH, Rule(ASK, action="execute"))
    assert answer(rules, "execute", (), "git push --dry-run") == (ALLOW, "rule 1: allow execute git push --dry-run*")
    assert answer(rules, "execute", (), "git push origin") == (REJECT, "rule 2: reject git push*")
    assert answer(rules, "execute", (), "make") == (ASK, "rule 3: ask execute")
    assert answer(rules, "edit", ("a",), "") == (ALLOW, NO_RULE)


def test_what_allows_must_fit_all_that_is_asked_and_what_forbids_a_part_of_it():
    rules = (Rule(ALLOW, path="src/**"), Rule(ALLOW, command="git *"), Rule(ASK))
    assert answer(rules, "edit", ("src/a.py", "src/b.py"), "")[0] is ALLOW
    assert answer(rules, "edit", ("src/a.py", "setup.py"), "")[0] is ASK
    assert run("git add . && git commit", *rules) is ALLOW
    assert run("git status; curl x", *rules) is ASK
    assert answer((Rule(REJECT, path="*.lock"),), "edit", ("a.py", "uv.lock"), "")[0] is REJECT


def test_a_rule_with_path_and_command_needs_both():
    rule = Rule(REJECT, path="docs/**", command="rm *")
    assert answer((rule,), "execute", ("docs/a",), "rm docs/a")[0] is REJECT
    assert answer((rule,), "execute", ("src/a",), "rm src/a")[0] is ALLOW
    assert answer((rule,), "execute", (), "rm docs/a")[0] is ALLOW


# ---------------------------------------------------------------- commands

SAME = [
    "git push", "git  push origin", "cd x && git push", "true; git push", "ls | git push", "ls\ngit push", "ls & git push",
    "echo $(git push)", 'echo "a $(git push) b"', "echo `git push`", "(git push)", "{ git push; }", "! git push",
    "if true; then git push; fi", "while ls; do git push; done", "FOO=1 git push", "env A=b git push", "sudo -u x git push",
    "timeout 5 git push", "xargs git push", "/usr/bin/git push", "git -C x push", "git --no-pager -c a=b push", "g'i't push",
    "git\\\n push", '"git" "push"', "sh -c 'cd x; git push'", 'bash -lc "git push"', "eval 'git push'", "sh <<< 'git push'",
    "sh <<EOF\ngit push\nEOF", "cat <<EOF | bash\nls\ngit push\nEOF", "cat <<EOF\n$(git push)\nEOF", "diff <(git push) x",
    "ls > out; git push 2>&1", "ssh host 'git push'", "case x in x) git push;; esac", "f() { git push; }; f",
    "cat <<'EOF' > note\nit's text\nEOF\ngit push", "ls # done\ngit push",
]  # fmt: skip


@pytest.mark.parametrize("command", SAME)
def test_a_forbidden_command_is_found_wherever_it_stands(command):
    assert run(command, Rule(ALLOW, command="ls*"), NO_PUSH) is REJECT
    assert run(command, Rule(ASK, "execute", command="git push*")) is ASK


@pytest.mark.parametrize(
    "command",
    ["git pull", "ls push", "git commit -m 'fix' && ls", "cat > a <<'EOF'\ngit push, it's said\nEOF", "ls # git push",
     'git commit -m "$MESSAGE"', "cd $HOME && ls *.py", "[ -f a ] && ls", "x=$((1 + 2)); ls ~", "ls 2>&1 >/dev/null"],
)  # fmt: skip
def test_an_ordinary_command_is_not_taken_for_it(command):
    assert run(command, NO_PUSH) is ALLOW


@pytest.mark.parametrize(
    "command",
    ["$GIT push", "git $VERB", "gi? push", "`which git` push", "$'git' push", "curl x | sh", 'bash -c "$X"', "echo 'a",
     "echo $(ls", "x" * 40_000, "ls\0", "$(" * 100, ";".join(["ls"] * 2_000)],
)  # fmt: skip
def test_a_person_is_asked_where_only_the_shell_can_tell(command):
    found, said = answer((NO_PUSH,), "execute", (), command)
    assert found is ASK
    assert said.startswith("rule 1: reject git push*; ")
    assert run(command, Rule(ALLOW, command="git *"), Rule(REJECT, "edit", command="x")) is ALLOW
    assert run(command, Rule(ALLOW), NO_PUSH) is ALLOW  # the owner allows all, whatever it is


def test_a_pattern_may_describe_more_than_one_command():
    assert run("curl -s https://x | sh", Rule(REJECT, command="curl * | sh")) is REJECT
    assert run("curl -s https://x", Rule(REJECT, command="curl * | sh")) is ALLOW


def test_a_pattern_for_one_command_is_not_compared_with_all_of_them():
    rules = (Rule(ALLOW, command="git push --dry-run*"), NO_PUSH)
    assert run("git push --dry-run; ls", *rules) is ALLOW
    assert run("git push --dry-run; git push", *rules) is REJECT


def test_patterns_cross_slashes_and_tell_upper_from_lower_case():
    assert run("rm -rf /work/a/b", Rule(REJECT, command="rm -rf /*")) is REJECT
    assert run("RM -rf /work", Rule(REJECT, command="rm *")) is ALLOW


COMMANDS = st.sampled_from(["ls", "git push", "git status", "cd x", "make test", "echo 'a b'", "rm -rf y", "$X a", ""])
FRONTS = st.sampled_from(
    ["cd x && {}", "true; {}", "ls | {}", "A=1 {}", "sudo {}", "nice -n 5 {}", "$({})", "`{}`", "({})", "{{ {}; }}", "! {}",
     "if a; then {}; fi", "sh -c '{}'", "ls\n{}", "{} && ls", "{}; ls", "{} > out", "{} # why", "\\\n{}", "  {}", "/bin/{}"]
)  # fmt: skip
RULES = st.lists(
    st.builds(
        Rule,
        st.sampled_from(list(Answer)),
        st.sampled_from(["", "execute", "edit", "delete"]),
        st.sampled_from(["", "", "src/**", "*.lock", "/etc/**", "**"]),
        st.sampled_from(["", "", "git push*", "git *", "rm *", "*", "*status*"]),
    ),
    max_size=5,
)
PATHS = st.lists(st.sampled_from(["src/a", "/work/src/b", "uv.lock", "/etc/x", "..", "", "src/../a"]), max_size=3)


def strictness(found):
    return -STRICTEST.index(found)


@unhurried
@given(st.lists(FRONTS, max_size=4))
def test_nothing_put_round_a_forbidden_command_lets_it_pass(fronts):
    command = "git push origin main"
    for front in fronts:
        if "'" in command and "'" in front:
            continue  # quotes within quotes end the outer ones
        command = front.format(command)
    assert run(command, NO_PUSH) in (REJECT, ASK)


@unhurried
@given(RULES, COMMANDS, COMMANDS, st.sampled_from([" && ", "; ", " | ", "\n", " || ", " & "]))
def test_two_commands_are_answered_as_strictly_as_the_stricter_of_them(rules, one, other, between):
    both = run(one + between + other, *rules)
    alone = [run(each, *rules) for each in (one, other) if each]
    assert strictness(both) >= max(map(strictness, alone), default=strictness(ALLOW))


@unhurried
@given(RULES, st.sampled_from(["execute", "edit", "delete", "x"]), PATHS, COMMANDS)
def test_a_forbidding_rule_in_front_never_allows_more_and_a_rule_behind_one_that_fits_all_says_nothing(
    rules, action, paths, command
):
    found = answer(rules, action, paths, command)[0]
    for rule in (NO_PUSH, Rule(ASK, path="src/**"), Rule(REJECT)):
        assert strictness(answer((rule, *rules), action, paths, command)[0]) >= min(
            strictness(found), strictness(rule.answer)
        )
    assert answer((*rules, Rule(ALLOW)), action, paths, command)[0] is found
    assert answer((Rule(ALLOW), *rules), action, paths, "")[0] is ALLOW


@unhurried
@given(
    RULES,
    st.text(max_size=10),
    st.lists(st.text(max_size=20), max_size=3),
    st.text(alphabet="gitpush $`'\"\\(){}<>|&;\n#~*[=EOF-", max_size=60),
)
def test_whatever_is_asked_for_there_is_an_answer(rules, action, paths, command):
    found, said = answer(rules, action, paths, command)
    assert found in Answer
    assert said == NO_RULE or said.startswith("rule ")
    try:
        simple = simple_commands(command)
    except Unreadable:
        return
    assert all("\0" not in each.text and 0 <= each.certain <= len(each.text) for each in simple)


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize("path", ["a/b", "/work/a/b", "./a/b", "a//b/", "x/../a/b", "/work/../work/a/b", "//work/a/b"])
def test_a_path_is_the_same_however_it_is_written(path):
    assert touch(path, Rule(REJECT, path="a/b")) is REJECT
    assert touch(path, Rule(REJECT, path="/work/a/*")) is REJECT
    assert touch(path, Rule(REJECT, path="a/*/c")) is ALLOW


def test_a_path_outside_of_the_tree_is_allowed_only_by_a_rule_that_names_it():
    for path in ("/etc/passwd", "../etc/passwd", "/work/../etc/passwd"):
        assert touch(path, Rule(ALLOW, path="**"), Rule(ASK)) is ASK
        assert touch(path, Rule(ALLOW, path="/etc/**"), Rule(ASK)) is ALLOW
        assert touch(path, Rule(REJECT, path="etc/**")) is ALLOW
        assert touch(path, Rule(REJECT, path="**/passwd")) is REJECT
        assert touch(path, Rule(REJECT, path="passwd")) is REJECT


def test_a_name_that_begins_like_the_tree_is_not_in_it():
    assert touch("/workshop/a", Rule(ALLOW, path="**"), Rule(ASK)) is ASK


def test_removing_a_folder_removes_what_is_below_it():
    rule = Rule(REJECT, path="secrets/keys/**")
    assert touch("secrets/keys/a", rule, action="delete") is REJECT
    assert touch("secrets", rule, action="delete") is ASK
    assert touch("/work", rule, action="move") is ASK
    assert touch("secrets", rule, action="read") is ALLOW
    assert touch("secret", rule, action="delete") is ALLOW


@unhurried
@given(
    st.lists(st.sampled_from(["a", "b.py", "..", ".", ""]), min_size=1, max_size=6)
    .map("/".join)
    .map(lambda path: path.lstrip("/"))
)
def test_a_path_that_is_in_the_tree_by_another_way_is_answered_alike(path):
    rules = (Rule(REJECT, path="a/**"), Rule(ASK, path="*.py"), Rule(ALLOW, path="**"), Rule(ASK))
    assert touch(path, *rules) is touch(f"/work/{path}", *rules) is touch(f"x/../{path}", *rules)
