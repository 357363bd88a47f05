"""Loads movies into the Catalog table: JSON or CSV, upserted by country and id (infra/catalog/README.md)."""

import csv
import io
import json
import pathlib
import random
import time

from commands.cloud import Problem, client

LISTS = pathlib.Path(__file__).resolve().parents[2] / "catalog" / "lists.json"
NUMBERS = {"id": int, "year": int, "imdb_score": float, "imdb_votes": int, "runtime_minutes": int}
TEXTS = ("title", "country", "platform", "content_type")
CONTENT_TYPES = {"film": "Film", "série": "Série", "serie": "Série"}
# Successive calls with unprocessed items, with waits of up to 5 s between them.
ATTEMPTS = 12
URLS = ("trailer_url", "poster_url", "streaming_url")


def load(stack, file):
    """Writes every movie of a file; returns how many movies and rows that were."""
    movies = [checked(place, movie) for place, movie in enumerate(read(pathlib.Path(file)), start=1)]
    table, dynamodb = stack.outputs()["CatalogTable"], client("dynamodb")
    aliases = json.loads(LISTS.read_text(encoding="utf-8"))["aliases"]
    # A row that comes twice in one batch is refused: the last movie of an id counts.
    movies = list({(movie["country"], movie["id"]): movie for movie in movies}.values())
    before = listed(dynamodb, table, movies)
    requests, rows = [], 0
    for movie in movies:
        places = rows_of(movie, aliases)
        rows += len(places)
        requests += [{"PutRequest": {"Item": item}} for item in items(movie, places)]
        stale = before.get(index_key(movie)["shelf"]["S"], set()) - places
        requests += [{"DeleteRequest": {"Key": key(*place)}} for place in sorted(stale)]
    for start in range(0, len(requests), 25):
        write(dynamodb, {table: requests[start : start + 25]})
    return {"movies": len(movies), "rows": rows}


def read(path):
    # Spreadsheets begin their files with a mark.
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".csv":
        movies = list(csv.DictReader(io.StringIO(text)))
        return [{**movie, "genres": [genre for genre in (movie.get("genres") or "").split("|") if genre]} for movie in movies]
    movies = json.loads(text)
    if not isinstance(movies, list):
        raise Problem(f"{path} is no array of movies")
    return movies


def checked(place, movie):
    """The movie with the types that the table has."""
    made = {}
    for name, kind in NUMBERS.items():
        try:
            made[name] = kind(movie[name])
        except (KeyError, TypeError, ValueError):
            raise Problem(f"movie {place}: `{name}` must be a number") from None
    if not 0 <= made["imdb_score"] <= 10 or made["imdb_votes"] < 0:
        raise Problem(f"movie {place}: `imdb_score` must be from 0 to 10, and `imdb_votes` 0 or more")
    for name in TEXTS:
        made[name] = str(movie.get(name) or "").strip()
        if not made[name]:
            raise Problem(f"movie {place}: `{name}` is missing")
    for name in URLS:
        made[name] = str(movie.get(name) or "").strip()
        if made[name] and not made[name].startswith("https://"):
            raise Problem(f"movie {place}: `{name}` must be https, or empty")
    made["content_type"] = CONTENT_TYPES.get(made["content_type"].lower())
    if not made["content_type"]:
        raise Problem(f"movie {place}: `content_type` must be Film or Série")
    genres = movie.get("genres")
    if not isinstance(genres, list) or not genres:
        raise Problem(f"movie {place}: `genres` must be a list of at least one genre")
    made["genres"] = [str(genre).strip() for genre in genres]
    made["country"] = made["country"].upper()
    return made


def shelf(country, platform, genre, aliases):
    """As `catalog::shelf` in shared/app builds it."""
    platform = platform.strip().lower()
    return f"{country.upper()}#{aliases.get(platform, platform)}#{genre.strip().lower()}"


def rows_of(movie, aliases):
    """A row on each of its genres' shelves; previews read from the top, so the highest score sorts first."""
    rank = f"{9999 - round(movie['imdb_score'] * 100):04}#{10**12 - movie['imdb_votes']:013}#{movie['id']}"
    return {(shelf(movie["country"], movie["platform"], genre, aliases), rank) for genre in movie["genres"]}


def key(shelf, rank):
    return {"shelf": {"S": shelf}, "rank": {"S": rank}}


def index_key(movie):
    """The row that lists a movie's rows, so that the next import finds what it replaces."""
    return key(f"movie#{movie['country']}#{movie['id']}", "-")


def items(movie, places):
    body = {"S": json.dumps({name: value for name, value in movie.items() if name != "country"}, ensure_ascii=False)}
    shelves = [{**key(*place), "content_type": {"S": movie["content_type"]}, "body": body} for place in sorted(places)]
    rows = [{"M": key(*place)} for place in sorted(places)]
    return [*shelves, {**index_key(movie), "rows": {"L": rows}}]


def listed(dynamodb, table, movies):
    """The rows that movies have by now, by the shelf of the row that lists them."""
    keys, found = [index_key(movie) for movie in movies], {}
    for start in range(0, len(keys), 100):
        wanted, attempts = {table: {"Keys": keys[start : start + 100], "ConsistentRead": True}}, 0
        while wanted:
            answer = dynamodb.batch_get_item(RequestItems=wanted)
            attempts = 0 if not answer.get("UnprocessedKeys") else pause(attempts)
            for item in answer["Responses"].get(table, []):
                rows = {(row["M"]["shelf"]["S"], row["M"]["rank"]["S"]) for row in item["rows"]["L"]}
                found[item["shelf"]["S"]] = rows
            wanted = answer.get("UnprocessedKeys")
    return found


def pause(attempts):
    """Waits before unprocessed items are retried: a new table accepts few writes at first."""
    if attempts == ATTEMPTS:
        raise Problem("the table is throttled: try again in some minutes; what was loaded stays")
    time.sleep(random.uniform(0, min(0.1 * 2**attempts, 5)))
    return attempts + 1


def write(dynamodb, wanted):
    attempts = 0
    while wanted := dynamodb.batch_write_item(RequestItems=wanted).get("UnprocessedItems"):
        attempts = pause(attempts)
