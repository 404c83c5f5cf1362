//! Editing TOML in place: comments, order and spacing stay as somebody wrote them.

use toml_edit::{Array, Item, Table, TableLike, Value};

/// Adds a text to a list, in the way in which the list is written.
pub fn push(list: &mut Array, text: &str) -> bool {
    if list.iter().any(|item| item.as_str() == Some(text)) {
        return false;
    }
    let own_lines = list.iter().last().and_then(|last| last.decor().prefix()?.as_str().map(str::to_owned));
    match own_lines.filter(|prefix| prefix.contains('\n')) {
        Some(prefix) => {
            // A comment that stands before the last one is not the new one's; one after it stays after it.
            let indent = prefix.rsplit('\n').next().unwrap_or("").to_owned();
            let after = match list.trailing_comma() {
                true => list.trailing().as_str().map(str::to_owned),
                false => list.iter().last().and_then(|last| last.decor().suffix()?.as_str().map(str::to_owned)),
            };
            let after = after.unwrap_or_default();
            let (comment, end) = after.rfind('\n').map_or((after.as_str(), ""), |at| after.split_at(at));
            if list.trailing_comma() {
                list.set_trailing(end);
            } else if let Some(last) = list.iter_mut().last() {
                last.decor_mut().set_suffix("");
                list.set_trailing(end);
                list.set_trailing_comma(true);
            }
            let mut value = Value::from(text);
            value.decor_mut().set_prefix(format!("{comment}\n{indent}"));
            list.push_formatted(value);
        }
        None => list.push(text),
    }
    true
}

/// Removes a text from a list.
pub fn take(list: &mut Array, text: &str) -> bool {
    let Some(at) = list.iter().position(|item| item.as_str() == Some(text)) else { return false };
    let first_prefix = list.get(0).and_then(|item| item.decor().prefix()?.as_str().map(str::to_owned));
    list.remove(at);
    // In a list of one line the first item has no blank before it.
    if at == 0
        && let Some(prefix) = first_prefix.filter(|prefix| !prefix.contains('\n'))
        && let Some(item) = list.get_mut(0)
    {
        item.decor_mut().set_prefix(prefix);
    }
    true
}

/// Puts another text in the place of one.
pub fn replace(list: &mut Array, old: &str, new: &str) -> bool {
    let Some(item) = list.iter_mut().find(|item| item.as_str() == Some(old)) else { return false };
    let decor = item.decor().clone();
    *item = Value::from(new);
    *item.decor_mut() = decor;
    true
}

/// Sets a key of a table to a text. A comment after what was there stays.
pub fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = Value::from(text);
    match table.get_mut(key) {
        Some(item) => {
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// A list of a table, to be added to. One text in the place of a list becomes a list of it.
pub fn list<'t>(table: &'t mut dyn TableLike, key: &str) -> Option<&'t mut Array> {
    let item = table.entry(key).or_insert(Item::Value(Value::Array(Array::new())));
    if let Some(Value::String(_)) = item.as_value() {
        let mut one = std::mem::take(item).into_value().ok()?;
        let decor = one.decor().clone();
        one.decor_mut().clear();
        let mut list = Value::Array(Array::from_iter([one]));
        *list.decor_mut() = decor;
        *item = Item::Value(list);
    }
    item.as_array_mut()
}

/// The table of an array of tables in which a key has a value, however the array is written.
pub fn among<'t>(item: &'t mut Item, key: &str, value: &str) -> Option<&'t mut dyn TableLike> {
    let is = |table: &dyn TableLike| table.get(key).and_then(Item::as_str) == Some(value);
    match item {
        Item::ArrayOfTables(tables) => {
            tables.iter_mut().find(|table| is(*table)).map(|table| table as &mut dyn TableLike)
        }
        Item::Value(Value::Array(list)) => {
            list.iter_mut().filter_map(Value::as_inline_table_mut).find(|table| is(*table)).map(|table| {
                make_room(table);
                table as &mut dyn TableLike
            })
        }
        _ => None,
    }
}

/// The blank before the closing brace is not to stand before the next comma.
fn make_room(table: &mut toml_edit::InlineTable) {
    if let Some((_, last)) = table.iter_mut().last() {
        last.decor_mut().set_suffix("");
    }
}

/// Adds a table with these keys to an array of tables of a table, however that is written.
pub fn add(table: &mut Item, name: &str, keys: &[(&str, &str)]) -> Option<()> {
    let inline = table.as_inline_table_mut().map(make_room).is_some();
    let parent = table.as_table_like_mut()?;
    let empty = match inline {
        true => Item::Value(Value::Array(Array::new())),
        false => Item::ArrayOfTables(toml_edit::ArrayOfTables::new()),
    };
    match parent.entry(name).or_insert(empty) {
        Item::ArrayOfTables(tables) => {
            let mut new = Table::new();
            keys.iter().for_each(|(key, text)| set(&mut new, key, text));
            tables.push(new);
        }
        Item::Value(Value::Array(list)) => {
            let mut new = toml_edit::InlineTable::new();
            keys.iter().for_each(|(key, text)| set(&mut new, key, text));
            list.push(new);
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml_edit::DocumentMut;

    #[test]
    fn a_value_is_replaced_and_the_comment_after_it_stays() {
        let mut document: DocumentMut = "# top\na = \"x\" # why\n\n[t]\nb = 1\n".parse().unwrap();
        set(document.as_table_mut(), "a", "y");
        set(document.as_table_mut(), "c", "z");
        assert_eq!(document.to_string(), "# top\na = \"y\" # why\nc = \"z\"\n\n[t]\nb = 1\n");
    }

    #[test]
    fn one_text_becomes_a_list_where_a_second_comes() {
        for (before, after) in [
            ("a = \"x\" # why\n", "a = [\"x\", \"y\"] # why\n"),
            ("a = [\"x\"]\n", "a = [\"x\", \"y\"]\n"),
            ("a = [\n    \"x\", # why\n]\n", "a = [\n    \"x\", # why\n    \"y\",\n]\n"),
            ("a = [\n  # of x\n  \"x\" # why\n]\n", "a = [\n  # of x\n  \"x\", # why\n  \"y\",\n]\n"),
            ("a = [\n  \"x\"]\n", "a = [\n  \"x\",\n  \"y\",]\n"),
            ("a = [\n  \"x\",\n  # more\n]\n", "a = [\n  \"x\",\n  # more\n  \"y\",\n]\n"),
            ("b = 1\n", "b = 1\na = [\"y\"]\n"),
        ] {
            let mut document: DocumentMut = before.parse().unwrap();
            assert!(push(list(document.as_table_mut(), "a").unwrap(), "y"), "{before}");
            assert_eq!(document.to_string(), after);
        }
        let mut document: DocumentMut = "a = 1\n".parse().unwrap();
        assert!(list(document.as_table_mut(), "a").is_none());
    }

    #[test]
    fn a_table_of_an_array_is_found_and_added_however_it_is_written() {
        for (before, after) in [
            (
                "[vm]\ncpus = 2\n# one\n[[vm.network]]\nname = \"lan\" # a\n\n[values]\nx = 1\n",
                "[vm]\ncpus = 2\n# one\n[[vm.network]]\nname = \"lan\" # a\nmac = \"m\"\n\n[values]\nx = 1\n",
            ),
            ("[vm]\nnetwork = [{ name = \"lan\" }] # a\n", "[vm]\nnetwork = [{ name = \"lan\", mac = \"m\" }] # a\n"),
            ("vm = { cpus = 2 }\n", "vm = { cpus = 2, network = [{ name = \"lan\", mac = \"m\" }] }\n"),
            (
                "[vm]\n\n# y\n[values]\nx = 1\n",
                "[vm]\n\n[[vm.network]]\nname = \"lan\"\nmac = \"m\"\n\n# y\n[values]\nx = 1\n",
            ),
        ] {
            let mut document: DocumentMut = before.parse().unwrap();
            let vm = document.get_mut("vm").unwrap();
            let tables = vm.as_table_like_mut().unwrap().get_mut("network");
            match tables.and_then(|tables| among(tables, "name", "lan")) {
                Some(table) => set(table, "mac", "m"),
                None => add(vm, "network", &[("name", "lan"), ("mac", "m")]).unwrap(),
            }
            assert_eq!(document.to_string(), after);
        }
    }
}
