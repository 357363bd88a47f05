"""Imports movies into the Catalog table: JSON or CSV, upserted by country and id (infra/catalog/README.md)."""

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
# Maximum of successive calls with unprocessed items, with waits of up to 5 s between them.
ATTEMPTS = 12
URLS = ("trailer_url", "poster_url", "streaming_url")


def load(stack, file):
    """Imports every movie of a file, and returns the numbers of movies and rows."""
    movies = [checked(number, movie) for number, movie in enumerate(read(pathlib.Path(file)), start=1)]
    table, dynamodb = stack.outputs()["CatalogTable"], client("dynamodb")
    aliases = json.loads(LISTS.read_text(encoding="utf-8"))["aliases"]
    # DynamoDB refuses a batch that writes a row twice: the last movie with an id wins.
    movies = list({(movie["country"], movie["id"]): movie for movie in movies}.values())
    before = listed(dynamodb, table, movies)
    requests, rows = [], 0
    for movie in movies:
        keys = row_keys(movie, aliases)
        rows += len(keys)
        requests += [{"PutRequest": {"Item": item}} for item in items(movie, keys)]
        stale = before.get(index_key(movie)["shelf"]["S"], set()) - keys
        requests += [{"DeleteRequest": {"Key": key(*one)}} for one in sorted(stale)]
    for start in range(0, len(requests), 25):
        write(dynamodb, {table: requests[start : start + 25]})
    return {"movies": len(movies), "rows": rows}


def read(path):
    # Spreadsheets write a byte order mark.
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".csv":
        movies = list(csv.DictReader(io.StringIO(text)))
        return [{**movie, "genres": [genre for genre in (movie.get("genres") or "").split("|") if genre]} for movie in movies]
    movies = json.loads(text)
    if not isinstance(movies, list):
        raise Problem(f"{path} must be a JSON array of movies")
    return movies


def checked(number, movie):
    """The movie with the types of the table."""
    converted = {}
    for name, kind in NUMBERS.items():
        try:
            converted[name] = kind(movie[name])
        except (KeyError, TypeError, ValueError):
            raise Problem(f"movie {number}: `{name}` must be a number") from None
    if not 0 <= converted["imdb_score"] <= 10 or converted["imdb_votes"] < 0:
        raise Problem(f"movie {number}: `imdb_score` must be from 0 to 10, and `imdb_votes` at least 0")
    for name in TEXTS:
        converted[name] = str(movie.get(name) or "").strip()
        if not converted[name]:
            raise Problem(f"movie {number}: `{name}` is missing")
    for name in URLS:
        converted[name] = str(movie.get(name) or "").strip()
        if converted[name] and not converted[name].startswith("https://"):
            raise Problem(f"movie {number}: `{name}` must be an https URL, or empty")
    converted["content_type"] = CONTENT_TYPES.get(converted["content_type"].lower())
    if not converted["content_type"]:
        raise Problem(f"movie {number}: `content_type` must be Film or Série")
    genres = movie.get("genres")
    if not isinstance(genres, list) or not genres:
        raise Problem(f"movie {number}: `genres` must be a list of at least one genre")
    converted["genres"] = [str(genre).strip() for genre in genres]
    converted["country"] = converted["country"].upper()
    return converted


def shelf(country, platform, genre, aliases):
    """The partition key, built like `catalog::shelf` in shared/app."""
    platform = platform.strip().lower()
    return f"{country.upper()}#{aliases.get(platform, platform)}#{genre.strip().lower()}"


def row_keys(movie, aliases):
    """The keys of a movie's rows, one per genre; the highest score sorts first, as previews read from the beginning."""
    rank = f"{9999 - round(movie['imdb_score'] * 100):04}#{10**12 - movie['imdb_votes']:013}#{movie['id']}"
    return {(shelf(movie["country"], movie["platform"], genre, aliases), rank) for genre in movie["genres"]}


def key(shelf, rank):
    return {"shelf": {"S": shelf}, "rank": {"S": rank}}


def index_key(movie):
    """The key of the row that lists a movie's rows, so that the next import can replace them."""
    return key(f"movie#{movie['country']}#{movie['id']}", "-")


def items(movie, keys):
    body = {"S": json.dumps({name: value for name, value in movie.items() if name != "country"}, ensure_ascii=False)}
    movies = [{**key(*one), "content_type": {"S": movie["content_type"]}, "body": body} for one in sorted(keys)]
    rows = [{"M": key(*one)} for one in sorted(keys)]
    return [*movies, {**index_key(movie), "rows": {"L": rows}}]


def listed(dynamodb, table, movies):
    """The keys of the movies' existing rows, by the partition key of the row that lists them."""
    keys, found = [index_key(movie) for movie in movies], {}
    for start in range(0, len(keys), 100):
        requested, attempts = {table: {"Keys": keys[start : start + 100], "ConsistentRead": True}}, 0
        while requested:
            response = dynamodb.batch_get_item(RequestItems=requested)
            attempts = 0 if not response.get("UnprocessedKeys") else pause(attempts)
            for item in response["Responses"].get(table, []):
                rows = {(row["M"]["shelf"]["S"], row["M"]["rank"]["S"]) for row in item["rows"]["L"]}
                found[item["shelf"]["S"]] = rows
            requested = response.get("UnprocessedKeys")
    return found


def pause(attempts):
    """Waits before a retry of unprocessed items: a new table accepts few writes at first."""
    if attempts == ATTEMPTS:
        raise Problem("the table is throttled: try again in some minutes; imported movies stay")
    time.sleep(random.uniform(0, min(0.1 * 2**attempts, 5)))
    return attempts + 1


def write(dynamodb, requests):
    attempts = 0
    while requests := dynamodb.batch_write_item(RequestItems=requests).get("UnprocessedItems"):
        attempts = pause(attempts)
